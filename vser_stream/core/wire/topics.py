"""Every topic there is: how it is built, and what it says.

=====================================  ==============================================
``vser/v1/SITE/status``                whether anything is heard at a site
``vser/v1/SITE/SOURCE/KIND``           documents: alert, utterance, state, health
``vser/v1/SITE/SOURCE/selftest``       where ``doctor`` tries what the broker takes
``vser/v1/SITE/SOURCE/cmd/VERB``       what people ask of a source
``vser/v1/SITE/answers/...``           where whoever asks may want the answer
``PREFIX/device/SITE/config``          Home Assistant's device of a site
``PREFIX/device/SITE/SOURCE/config``   Home Assistant's device of a source
``PREFIX/status``                      Home Assistant's own status
=====================================  ==============================================

Topics are a contract. To subscribe, any name may be :data:`ANY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from vser_stream.values import MessageKind

__all__ = [
    "ANY",
    "PUBLISHED",
    "SPOKEN_FOR",
    "Published",
    "Topic",
    "answers",
    "command",
    "commands_below",
    "device",
    "document",
    "everything",
    "home_assistant_status",
    "is_ours",
    "parse",
    "selftest",
    "status",
]

_ROOT, _VERSION = "vser", "v1"
_COMMAND, _ANSWERS, _SELFTEST = "cmd", "answers", "selftest"

ANY = "+"
"""Any one name, in what is subscribed to."""

SPOKEN_FOR = (_ROOT, "homeassistant")
"""First levels on which documents of ours and of other boxes are believed."""


class Published(NamedTuple):
    """How messages of one kind are published."""

    qos: int
    retain: bool


PUBLISHED: Mapping[MessageKind, Published] = MappingProxyType(
    {
        MessageKind.ALERT: Published(qos=1, retain=False),
        MessageKind.UTTERANCE: Published(qos=0, retain=False),
        MessageKind.STATE: Published(qos=1, retain=True),
        MessageKind.HEALTH: Published(qos=1, retain=True),
        MessageKind.STATUS: Published(qos=1, retain=True),
        MessageKind.ANSWER: Published(qos=1, retain=False),
    }
)


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic of ours says."""

    site: str
    source: str | None
    """None where it is of the whole site."""

    last: str
    """A kind of message, or the verb of a command."""

    is_command: bool = False


def parse(topic: str) -> Topic | None:
    """Read a topic; None where it is none of ours."""
    match topic.split("/"):
        case [str(root), str(version), *levels] if (root, version) == (_ROOT, _VERSION):
            return _of_levels(levels)
        case _:
            return None


def _of_levels(levels: list[str]) -> Topic | None:
    match levels:
        case [site, MessageKind.STATUS]:
            return Topic(site, None, MessageKind.STATUS)
        case [site, source, str(last)]:
            return Topic(site, source, last)
        case [site, source, str(kind), verb] if kind == _COMMAND:
            return Topic(site, source, verb, is_command=True)
        case _:
            return None


def is_ours(topic: str) -> bool:
    """Whether nobody but us has anything to say there."""
    return topic.startswith(f"{_ROOT}/")


def status(site: str) -> str:
    """Whether anything is heard at a site."""
    return _of_site(site, MessageKind.STATUS)


def document(site: str, source: str, kind: MessageKind) -> str:
    """Documents of one kind of a source."""
    return _of_site(site, source, kind)


def selftest(site: str, source: str) -> str:
    """Where it is tried what the broker takes: the same access as for an alert, and nobody listens there."""
    return _of_site(site, source, _SELFTEST)


def command(site: str, source: str, verb: str) -> str:
    """Commands of one verb to a source."""
    return _of_site(site, source, _COMMAND, verb)


def commands_below(site: str) -> str:
    """All commands to a site, however many levels: what its access list must let it read."""
    return _of_site(site, ANY, _COMMAND, "#")


def answers(site: str, name: str = "") -> str:
    """Where somebody called ``name`` may want answers."""
    return _of_site(site, _ANSWERS, name)


def everything(site: str) -> str:
    """All of a site."""
    return _of_site(site, "#")


def device(prefix: str, site: str, source: str | None = None) -> str:
    """Home Assistant's document of a site, or of one of its sources.

    Args:
        prefix: Home Assistant's discovery prefix.
        site: Of the agent.
        source: Its name; None for the site itself.
    """
    names = [site] if source is None else [site, source]
    return "/".join([prefix, "device", *names, "config"])


def home_assistant_status(prefix: str) -> str:
    """Where Home Assistant says that it is there."""
    return f"{prefix}/status"


def _of_site(site: str, *levels: str) -> str:
    return "/".join([_ROOT, _VERSION, site, *levels])
