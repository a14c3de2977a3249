"""Whether what a source delivers can be a room at all: silence, stuck values, clipping, hum.

The signal is looked at second by second. A condition needs many bad seconds to begin and few to
end, so that a cough, a scream or a quiet night is none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.audio.level import level_db
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.values import RATE, Block, Pcm

__all__ = ["CLIPPED_AT", "Signal", "SignalWatch", "advice", "clipped_share", "faults_in", "signal_of"]

CLIPPED_AT = 32_000
"""Magnitude from which a sample counts as clipped: the largest value of mu-law is 32124."""

_QUIET = 0.1
"""A tenth of the frames are quieter than the level that counts as the room's."""

_FRAMES = 50
"""Frames of 20 ms in a second, for the level of the room."""

_MAINS = (50, 60)
"""Mains frequencies of the world (Hz)."""

_HUM_UP_TO = 400
"""Highest harmonic of the mains that counts as hum (Hz)."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What one second of audio is like."""

    level_db: float
    """Root mean square (dB re full scale)."""

    quiet_db: float
    """Level that a tenth of it stays under (dB re full scale)."""

    peak: int
    """Largest magnitude, 0 to 32768."""

    span: int
    """Largest less smallest value; 0 if it is one value."""

    clipped: float
    """Share of samples at full scale."""

    hum: float
    """Share of the power that lies on the mains frequency and its harmonics."""


def clipped_share(pcm: Pcm) -> float:
    """Share of samples at full scale."""
    return float(np.mean((pcm >= CLIPPED_AT) | (pcm <= -CLIPPED_AT))) if len(pcm) else 0.0


def signal_of(pcm: Pcm) -> Signal:
    """Measure one second of audio, shape (RATE,)."""
    low, high = int(pcm.min()), int(pcm.max())
    levels = sorted(level_db(frame) for frame in pcm.reshape(_FRAMES, -1))
    return Signal(
        level_db=level_db(pcm),
        quiet_db=levels[int(_QUIET * _FRAMES)],
        peak=max(-low, high),
        span=high - low,
        clipped=clipped_share(pcm),
        hum=_hum(pcm),
    )


def _hum(pcm: Pcm) -> float:
    """One second gives bins of 1 Hz; the Hann window spreads a line over three of them."""
    samples = pcm.astype(np.float32)
    power = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(RATE))) ** 2
    total = float(power[20:].sum())
    return max(_on_harmonics(power, mains) for mains in _MAINS) / total if total else 0.0


def _on_harmonics(power: NDArray[np.float64], mains: int) -> float:
    lines = np.arange(mains, _HUM_UP_TO + 1, mains)
    return float(sum(power[lines + offset].sum() for offset in (-1, 0, 1)))


_LOW_DB = -78.0
"""A quiet night through a microphone of little gain is above it (dB re full scale)."""

_ROOM_DB = -75.0
"""The room is not taken for quieter, so that a source muted from its start is found too (dB)."""

_FAR_BELOW_DB = 12.0

_CLIPS = 0.01
"""Share of a second's samples; speech at the right gain has none."""

_HUMS = 0.8
"""Share of a second's power: no voice has so much on lines that do not move."""

_HUM_DB = -55.0
"""From here on pitch trackers take hum for a voice; at -40 all of them do (dB re full scale)."""


def faults_in(signal: Signal, *, room_db: float) -> frozenset[ConditionName]:
    """What is wrong with one second, in a room that was so quiet before (dB re full scale)."""
    found = {
        ConditionName.DIGITAL_SILENCE: signal.peak == 0,
        # One step of dither; G.711 has no zero, its silence is one constant value.
        ConditionName.STUCK_VALUE: signal.peak > 0 and signal.span <= 1,
        ConditionName.LEVEL_LOW: signal.span > 1 and signal.level_db < min(_LOW_DB, room_db - _FAR_BELOW_DB),
        ConditionName.CLIPPING: signal.clipped >= _CLIPS,
        ConditionName.MAINS_HUM: signal.hum >= _HUMS and signal.level_db >= _HUM_DB,
    }
    return frozenset(name for name, bad in found.items() if bad)


@dataclass(frozen=True, slots=True)
class _Check:
    """A condition begins when ``need`` of the last ``of`` seconds are bad, and ends under half of that."""

    name: ConditionName
    priority: Literal["medium", "low"]
    need: int
    of: int
    words: str


_CHECKS = (
    # Silence that is as old as data may be (10 s). A camera that mutes itself in a quiet room cannot
    # be told from a muted one: in both nobody would be heard.
    _Check(
        ConditionName.DIGITAL_SILENCE, "medium", 10, 10,
        "nothing but zeros; unmute the microphone or the camera",
    ),
    _Check(
        ConditionName.STUCK_VALUE, "medium", 10, 10,
        "the signal is one constant value; check the cable, and that the microphone is not muted",
    ),
    _Check(
        ConditionName.LEVEL_LOW, "medium", 20, 30,
        "level far below what is usual in this room; uncover the microphone, or raise its gain",
    ),
    # A scream of a few seconds clips too: only what goes on for long is a gain set too high.
    _Check(
        ConditionName.CLIPPING, "low", 15, 60,
        "clipping; lower the gain",
    ),
    _Check(
        ConditionName.MAINS_HUM, "low", 20, 30,
        "mostly mains hum; check the cable, the supply and the ground of the microphone",
    ),
)  # fmt: skip


_CUTS = 12
"""Gaps within a minute that cut so many utterances short that people are not heard out."""

_DEAF = 30
"""Gaps within a minute between which no utterance of two seconds fits."""

_MINUTE = 60.0
"""(s)."""


def advice(name: ConditionName) -> str:
    """What it means and what to do."""
    return next(check.words for check in _CHECKS if check.name is name)


class SignalWatch:
    """Follows one source; feed it every block in order."""

    def __init__(self) -> None:
        self._held: list[Pcm] = []
        self._next: int | None = None
        self._bad = [deque[bool](maxlen=check.of) for check in _CHECKS]
        self._since: dict[ConditionName, float] = {}
        self._room_db = 0.0
        self._cuts: deque[float] = deque(maxlen=10 * _DEAF)
        self._cut_since: float | None = None
        self._wrong: tuple[Condition, ...] = ()
        self.conditions: tuple[Condition, ...] = ()
        """What is wrong now."""

        self.signal: Signal | None = None
        """The latest whole second."""

    def feed(self, block: Block) -> None:
        """Take the next block; a gap makes it begin its second anew."""
        if block.start != self._next:
            self._held = []
            if self._next is not None:
                self._cuts.append(block.heard_at)
        self._next = block.end
        pcm = np.concatenate([*self._held, block.pcm])
        seconds, rest = divmod(len(pcm), RATE)
        for second in range(seconds):
            self._look(signal_of(pcm[second * RATE : (second + 1) * RATE]), block.heard_at)
        self._held = [pcm[-rest:]] if rest else []
        self.conditions = (*self._interrupted(block.heard_at), *self._wrong)

    def _interrupted(self, now: float) -> Iterator[Condition]:
        """A source that is cut up delivers no whole second, and says nothing else of it."""
        while self._cuts and not 0.0 <= now - self._cuts[0] < _MINUTE:  # the clock may be set, too
            self._cuts.popleft()
        cuts = len(self._cuts)
        if self._cut_since is None and cuts >= _CUTS:
            self._cut_since = self._cuts[0]
        elif 2 * cuts < _CUTS:
            self._cut_since = None
        if self._cut_since is not None:
            words = (
                f"the audio stopped {cuts} times within a minute; check the network, and the load of this box"
            )
            priority: Literal["medium", "low"] = "medium" if cuts >= _DEAF else "low"
            yield Condition(ConditionName.INTERRUPTED, priority, self._cut_since, words)

    def _look(self, signal: Signal, now: float) -> None:
        self.signal = signal
        faults = faults_in(signal, room_db=self._room_db)
        for check, bad in zip(_CHECKS, self._bad, strict=True):
            bad.append(check.name in faults)
            self._settle(check, sum(bad), now)
        self._wrong = tuple(
            Condition(check.name, check.priority, self._since[check.name], check.words)
            for check in _CHECKS
            if check.name in self._since
        )
        if not faults:
            self._room_db = max(_ROOM_DB, min(self._room_db, signal.quiet_db))

    def _settle(self, check: _Check, bad: int, now: float) -> None:
        if check.name not in self._since and bad >= check.need:
            self._since[check.name] = now - check.need
        elif check.name in self._since and 2 * bad < check.need:
            del self._since[check.name]
