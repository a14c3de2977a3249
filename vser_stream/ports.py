"""What the pipeline needs from the world: Protocols of one verb each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from vser_stream.errors import PublishError
from vser_stream.values import (
    Block,
    Case,
    Label,
    Memory,
    Message,
    Pcm,
    PitchTrack,
    Probabilities,
    Record,
    Rows,
    Spectra,
)

__all__ = [
    "AudioSource",
    "Clock",
    "DeliveryObserver",
    "PitchTracker",
    "Presence",
    "Publisher",
    "Reasoner",
    "Scorer",
    "SecondLook",
    "SpeechDetector",
    "Store",
]


class AudioSource(Protocol):
    """A microphone, a camera or a recording."""

    def blocks(self, stopped: Callable[[], bool]) -> Iterator[Block]:
        """Open the source and yield its audio until it ends or ``stopped()``.

        Runs in one thread from opening to closing and may block for a few seconds.
        Positions start at 0 with each call. A recording ends; a live source only ends
        when stopped.

        Raises:
            AudioError: A recording cannot be read.
            CaptureError: A live source cannot be opened, or was lost.
        """
        ...


class Clock(Protocol):
    """What time it is."""

    def wall(self) -> float:
        """Unix time (s): for people, and over restarts; it may be set at any moment."""
        ...

    def monotonic(self) -> float:
        """Time that only goes on (s): for how long something lasts."""
        ...


class SpeechDetector(Protocol):
    """Decides frame by frame; keeps state, so each source has its own."""

    def is_speech(self, pcm: Pcm) -> bool:
        """Whether a frame of :data:`~vser_stream.values.FRAME` samples holds speech."""
        ...


class PitchTracker(Protocol):
    """Estimates the fundamental frequency."""

    def track(self, spectra: Spectra) -> PitchTrack:
        """Return one estimate for each hop after the context (see core.features.log_frequency)."""
        ...


class Scorer(Protocol):
    """Turns features into calibrated probabilities."""

    def score(self, rows: Rows) -> Probabilities:
        """Judge one voice by its rows of model inputs: the mean of what is said of each."""
        ...


class SecondLook(Protocol):
    """Hears the speech itself, where the first judge is not sure that it is calm."""

    answered: int
    """Times it answered so far."""

    late: int
    """Times an alarm could not wait for it."""

    def look(self, pcm: Pcm, rows: Rows) -> Probabilities | None:
        """Judge speech, shape (n,), with its model inputs, shape (k, n_inputs).

        None where an alarm cannot wait for the answer.
        """
        ...


class Reasoner(Protocol):
    """Weighs the evidence of an ambiguous utterance under a rule book; answers within a time (s)."""

    def judge(self, case: Case, *, within: float) -> Probabilities:
        """Return its own belief, from the evidence alone.

        Raises:
            ReasonerError: It cannot, or not in time.
        """
        ...

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        """Return one or two sentences on why ``case`` is ``label``; asked again, other ones.

        Raises:
            ReasonerError: It cannot, or not in time.
        """
        ...


class Publisher(Protocol):
    """Sends messages to subscribers."""

    async def publish(self, message: Message) -> None:
        """Return once the broker has acknowledged the message.

        Raises:
            PublishError: It did not; the caller still owns the message.
        """
        ...


class Store(Protocol):
    """Keeps what must survive a crash, and has messages delivered."""

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Return once all is kept as one, on the disk or, where that fails, in memory.

        Args:
            messages: To be published.
            memory: What a source must know after a restart.
            records: Evidence; where the disk fails, it is lost and counted.
        """
        ...


class Presence(Protocol):
    """What a site says of itself on each connection."""

    def greeting(self) -> Iterable[Message]:
        """First: what late subscribers must find retained."""
        ...

    def farewell(self) -> Iterable[Message]:
        """Last, before a site that is stopped disconnects."""
        ...


class DeliveryObserver(Protocol):
    """Told what becomes of messages and of the connection for them."""

    def sent(self, message: Message) -> None:
        """The broker has acknowledged a message."""
        ...

    def refused(self, topic: str, reason: str) -> None:
        """The broker does not let us publish on a topic."""
        ...

    def lost(self, error: PublishError) -> None:
        """A good connection was lost."""
        ...
