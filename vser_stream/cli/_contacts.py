"""What leaves the box, and to whom: all that a configuration names."""

from __future__ import annotations

from dataclasses import dataclass

from vser_stream.adapters.audio.rtsp_camera import redact
from vser_stream.config.schema import Config

__all__ = ["Contact", "contacts"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who is spoken to."""

    to: str
    what: str


def contacts(config: Config) -> list[Contact]:
    """All a daemon of this configuration speaks to or answers; tests/cli/test_egress.py holds it to that."""
    sent = [f"alerts, states, health and status of site {config.site}"]
    if config.publish.utterances:
        sent.append("the figures of each utterance")
    if config.homeassistant.enabled:
        sent.append("for Home Assistant, which sources there are")
    found = [Contact(f"{config.mqtt.host}:{config.mqtt.port} (MQTT broker)", ", ".join(sent))]
    found += [
        Contact(
            f"{redact(source.url)} (camera {source.name})", "its user and password, requests for its audio"
        )
        for source in config.sources
        if source.url
    ]
    if config.reasoner.backend == "server" and config.reasoner.url:
        what = "figures, cues and rules of low-confidence utterances"
        found.append(Contact(f"{config.reasoner.url} (reasoner)", what))
    if config.http.port is not None:
        found.append(Contact(f"whoever queries {config.http.host}:{config.http.port}", "metrics and health"))
    return found
