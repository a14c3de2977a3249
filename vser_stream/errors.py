"""Every error the package raises on purpose, grouped by who must act.

::

    VserError
    +-- UserError            the person at the keyboard gave something unusable
    |   +-- AudioError       a recording cannot be read
    |   +-- DataError        a manifest of recordings is incomplete
    |   +-- CommandError     what somebody asked of a source cannot be obeyed
    |       +-- UnreadableCommandError    nobody can say what was asked
    +-- ConfigError          the operator corrects a file on this box
    |   +-- ModelError       a model cannot be loaded or is not what it says
    |   |   +-- ModelMismatchError
    |   +-- RuleError        a book of human rules is wrong
    +-- OutageError          nobody: the supervisor tries again
        +-- CaptureError     a microphone or camera does not deliver
        |   +-- CaptureRefusedError    and will not before somebody corrects something
        +-- PublishError     the broker does not take messages
        |   +-- SessionTakenError      another client logged in under our name
        |   +-- MessageRefusedError    it takes others, but not this one
        |       +-- MessageUnfitError      because of what it is, not where it goes
        +-- OutboxError      the disk does not keep messages
        +-- DaemonAwayError  nobody answers on this box: the daemon does not run
        +-- ReasonerError    the reasoner does not answer, or not in time
        +-- DownloadError    a model cannot be fetched, or not to its end

A bug is never a :class:`VserError`. Messages are one line and end with what to do;
they never hold a password.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AudioError",
    "CaptureError",
    "CaptureRefusedError",
    "CommandError",
    "ConfigError",
    "DaemonAwayError",
    "DataError",
    "DownloadError",
    "MessageRefusedError",
    "MessageUnfitError",
    "ModelError",
    "ModelMismatchError",
    "OutageError",
    "OutboxError",
    "PublishError",
    "ReasonerError",
    "RuleError",
    "SessionTakenError",
    "UnreadableCommandError",
    "UserError",
    "VserError",
]


class VserError(Exception):
    """Base of all expected errors."""

    exit_code: ClassVar[int] = 1
    """What the command line returns for it."""


class UserError(VserError):
    """An argument of the command cannot be used."""

    exit_code = 2


class AudioError(UserError):
    """A recording is missing, damaged, or holds no audio."""

    exit_code = 4


class DataError(UserError):
    """A manifest misses columns, rows or files."""

    exit_code = 4


class CommandError(UserError):
    """Somebody asked a source for what it cannot do."""


class UnreadableCommandError(CommandError):
    """Nobody can say what was asked, so nobody waits for an answer."""


class ConfigError(VserError):
    """A file on this box must be corrected by its operator."""

    exit_code = 3


class ModelError(ConfigError):
    """A model is missing, damaged, or answers its golden vectors wrongly."""


class ModelMismatchError(ModelError):
    """The model was trained on other features than this build computes."""

    def __init__(self, path: str, *, trained_on: str, running: str) -> None:
        super().__init__(
            f"{path}: trained on features {trained_on}, this build computes {running}; "
            "train the model again or install the matching release"
        )
        self.path, self.trained_on, self.running = path, trained_on, running


class RuleError(ConfigError):
    """A book of human rules is missing, malformed, or speaks of cues nobody measures."""


class OutageError(VserError):
    """Something outside this process is away; it is tried again."""

    exit_code = 5


class CaptureError(OutageError):
    """A microphone or camera does not deliver audio."""


class CaptureRefusedError(CaptureError):
    """It refuses: trying again often does not help and may lock the account."""


class PublishError(OutageError):
    """The MQTT broker did not take a message or the connection."""

    code: int | None = None
    """Its reason code (MQTT 5, section 2.4), where it gave one."""

    hung_up: bool = False
    """It ended a good connection without a word."""


class MessageRefusedError(PublishError):
    """The broker is there, but its rules do not let this message through."""


class MessageUnfitError(MessageRefusedError):
    """It is too large for this broker, or damaged: others on its topic may well get through."""


class SessionTakenError(PublishError):
    """Another client logged in with our client id, and the broker ended our connection."""


class OutboxError(OutageError):
    """The disk did not keep a message."""


class DaemonAwayError(OutageError):
    """The daemon of this box does not run."""


class ReasonerError(OutageError):
    """The reasoner gave no usable answer in time; the SVM decides."""


class DownloadError(OutageError):
    """A model did not arrive; what did is kept, and the next attempt goes on from there."""
