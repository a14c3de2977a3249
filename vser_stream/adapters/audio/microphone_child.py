"""The microphone's child process: PortAudio (sounddevice) on one side, pipes on the other.

A frozen sound server makes PortAudio's open, close and even its clean-up at exit hang, and its
device list is read once per process (all measured). A child can be killed, and a new one sees
the devices of today. ``python -m vser_stream.adapters.audio.microphone_child list`` or
``capture DEVICE RATE`` writes one line of JSON to stdout, ``{"error": ...}`` or the answer; ``capture``
goes on with interleaved int16. It ends when stdin does, so it never outlives its parent.

Blocking reads only: callbacks need memory that is writable and executable, which the hardened
systemd unit forbids.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

LATENCY = 0.4
"""Buffer of the device; shorter ones lost audio when the box was busy (s)."""

CHANNELS = 32
"""Most that are read; arrays of microphones have 4 to 16."""

_READ = 0.05
"""Audio in one read (s)."""


class DeviceError(Exception):
    """The device cannot be used; the message is for a person."""


def main(argv: list[str]) -> None:
    """Run one verb and leave, without PortAudio's clean-up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _mute_native_code()
    try:
        sounddevice = _sounddevice()
        match argv:
            case ["list"]:
                _say({"inputs": _inputs(sounddevice)})
            case ["capture", device, rate]:
                _capture(sounddevice, device, int(rate))
    except DeviceError as exc:
        _say({"error": str(exc)})
    except BrokenPipeError:
        pass
    os._exit(0)


def _leave_with_parent() -> None:
    os.read(0, 1)
    os._exit(0)


def _mute_native_code() -> None:
    """Keep ALSA's and PortAudio's chatter out of the journal, but not our own tracebacks."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _say(answer: dict[str, Any]) -> None:
    _write(json.dumps(answer).encode() + b"\n")


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as exc:  # OSError: no PortAudio library
        raise DeviceError("no microphone support; install vser-stream[mic] and libportaudio2") from exc


def _inputs(sounddevice: Any) -> list[dict[str, Any]]:
    default = sounddevice.default.device[0]
    apis = sounddevice.query_hostapis()
    return [
        {
            "index": device["index"],
            "name": device["name"],
            "host_api": apis[device["hostapi"]]["name"],
            "channels": device["max_input_channels"],
            "rate": int(device["default_samplerate"]),
            "is_default": device["index"] in (default, apis[0]["default_input_device"]),
        }
        for device in sounddevice.query_devices()
        if device["max_input_channels"] > 0
    ]


def _capture(sounddevice: Any, wanted: str, rate: int) -> None:
    device = _find(_inputs(sounddevice), wanted)
    try:
        stream = _open(sounddevice, device, rate)
        stream.start()
    except sounddevice.PortAudioError as exc:
        raise DeviceError(f"cannot be opened ({exc.args[0]}); check the device and the sound server") from exc
    _say({"rate": int(stream.samplerate), "channels": stream.channels})
    while True:
        try:
            pcm, _ = stream.read(int(stream.samplerate * _READ))
        except sounddevice.PortAudioError:
            return  # the end of the pipe says it
        _write(bytes(pcm))


def _find(inputs: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """By index, ``default``, name, or a part of one name."""
    if not inputs:
        raise DeviceError("there is no audio input at all; check the microphone and the sound server")
    exact = [
        device
        for device in inputs
        if wanted in (str(device["index"]), device["name"]) or (wanted == "default" and device["is_default"])
    ]
    found = exact or [device for device in inputs if wanted.casefold() in device["name"].casefold()]
    if len(found) == 1 or exact:
        return found[0]
    names = ", ".join(device["name"] for device in found or inputs)
    problem = "fits several inputs" if found else "no such input"
    raise DeviceError(f"{problem}; choose one of: {names}")


def _open(sounddevice: Any, device: dict[str, Any], rate: int) -> Any:
    """At ``rate`` in mono, else as the device likes it: many USB microphones know 48 kHz only.

    Microphone arrays know their own number of channels only.
    """
    shapes = [
        (samplerate, channels)
        for channels in sorted({1, 2, min(device["channels"], CHANNELS)})
        for samplerate in (rate, device["rate"])
    ]
    for samplerate, channels in shapes[:-1]:
        try:
            return _stream(sounddevice, device, samplerate, channels)
        except sounddevice.PortAudioError:
            continue
    return _stream(sounddevice, device, *shapes[-1])


def _stream(sounddevice: Any, device: dict[str, Any], rate: int, channels: int) -> Any:
    return sounddevice.RawInputStream(
        device=device["index"], samplerate=rate, channels=channels, dtype="int16", latency=LATENCY
    )


if __name__ == "__main__":
    main(sys.argv[1:])
