"""From the configuration of a source to what delivers its audio."""

from __future__ import annotations

from vser_stream.adapters.audio.microphone import Microphone
from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.config.schema import SourceConfig
from vser_stream.ports import AudioSource

__all__ = ["source_of"]


def source_of(config: SourceConfig) -> AudioSource:
    """Return the camera, microphone or recording that ``config`` names; opens nothing."""
    if config.url is not None:
        return RtspCamera(
            config.url,
            transport=config.transport,
            username=config.username,
            password_file=config.password_file,
        )
    if config.device is not None:
        return Microphone(config.device)
    if config.file is not None:
        return Recording(config.file, realtime=True)
    raise AssertionError("SourceConfig lets exactly one origin through")
