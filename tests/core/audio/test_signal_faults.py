import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from support.audio import tone, voice

from vser_stream.core.audio.signal_faults import SignalWatch, clipped_share, signal_of
from vser_stream.core.technical_condition import ConditionName
from vser_stream.values import RATE, Block, Pcm

START = 1_700_000_000.0
RNG = np.random.default_rng(0)


def noise(seconds: float, rms: float) -> Pcm:
    return RNG.normal(scale=rms, size=round(seconds * RATE)).round().astype(np.int16)


def hum(seconds: float, mains: int, amplitude: float) -> Pcm:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * mains * k * time) / k for k in (1, 2, 3))
    return np.asarray(amplitude * wave, np.int16) + noise(seconds, 5.0)


def scream(seconds: float) -> Pcm:
    return (voice(seconds).astype(np.int32) * 20).clip(-32768, 32767).astype(np.int16)


def watched(*parts: Pcm, length: int = 1600) -> Iterator[SignalWatch]:
    """The same watch after each block."""
    pcm = np.concatenate(parts)
    watching = SignalWatch()
    for at in range(0, len(pcm), length):
        watching.feed(Block(pcm[at : at + length].copy(), start=at, heard_at=START + at / RATE))
        yield watching


def watch(*parts: Pcm, length: int = 1600) -> SignalWatch:
    *_, last = watched(*parts, length=length)
    return last


def names(watching: SignalWatch) -> list[str]:
    return [condition.name.value for condition in watching.conditions]


ROOM = noise(20, 20.0)


@pytest.mark.parametrize(
    ("bad", "name", "priority"),
    [
        (lambda: np.zeros(12 * RATE, np.int16), ConditionName.DIGITAL_SILENCE, "medium"),
        (lambda: np.full(12 * RATE, 8, np.int16), ConditionName.STUCK_VALUE, "medium"),
        (lambda: noise(25, 2.5), ConditionName.LEVEL_LOW, "medium"),
        (lambda: scream(30), ConditionName.CLIPPING, "low"),
        (lambda: hum(25, 50, 400.0), ConditionName.MAINS_HUM, "low"),
        (lambda: hum(25, 60, 400.0), ConditionName.MAINS_HUM, "low"),
    ],
)
def test_each_fault_is_a_condition_and_ends_when_the_room_is_back(
    bad: Callable[[], Pcm], name: ConditionName, priority: str
) -> None:
    during = watch(ROOM, bad())
    (condition,) = during.conditions
    assert (condition.name, condition.priority) == (name, priority)
    assert START + 19 <= condition.since <= START + 27
    assert names(watch(ROOM, bad(), noise(60, 20.0))) == []


@pytest.mark.parametrize(
    "good",
    [
        lambda: noise(40, 6.0),  # a quiet night, -75 dBFS
        lambda: noise(40, 3000.0),
        lambda: voice(40),
        lambda: scream(10),  # a person, not a gain
        lambda: tone(40, frequency=440.0),
        lambda: hum(40, 50, 20.0),  # inaudible
        lambda: np.zeros(8 * RATE, np.int16),
    ],
)
def test_what_happens_in_a_room_is_no_condition(good: Callable[[], Pcm]) -> None:
    assert [names(watching) for watching in watched(ROOM, good(), ROOM) if watching.conditions] == []


def test_a_source_that_is_muted_from_its_start_is_found() -> None:
    assert names(watch(noise(30, 0.7))) == ["level_low"]


@pytest.mark.parametrize("length", [37, 480, 16_000, 10**6])
def test_what_is_found_does_not_depend_on_the_blocks(length: int) -> None:
    found = watch(ROOM, np.zeros(15 * RATE, np.int16), length=length)
    assert names(found) == ["digital_silence"]
    assert found.signal == watch(ROOM, np.zeros(15 * RATE, np.int16)).signal


def test_no_second_reaches_across_a_gap() -> None:
    watching = SignalWatch()
    for number, start in enumerate(itertools.count(0, RATE)):
        watching.feed(Block(np.zeros(RATE // 2, np.int16), start=start, heard_at=START))
        if number == 40:
            break
    assert watching.signal is None


def test_the_share_of_clipped_samples_counts_both_sides_and_the_limits_of_g711() -> None:
    assert clipped_share(np.array([32767, -32768, 32124, 100], np.int16)) == 0.75
    assert clipped_share(np.empty(0, np.int16)) == 0.0


def test_a_second_of_a_tone_is_measured_as_it_is() -> None:
    signal = signal_of(tone(1.0, frequency=100.0))
    assert signal.level_db == pytest.approx(-13.3, abs=0.1)
    assert signal.quiet_db == pytest.approx(-13.3, abs=0.1)
    assert (signal.peak, signal.span, signal.clipped) == (10_000, 20_000, 0.0)
    assert signal.hum > 0.99


def cut_up(every: float, seconds: float, *, after: float = 0.0) -> SignalWatch:
    """A source that loses 0.4 s again and again, and then is whole for a while."""
    watching, at, length = SignalWatch(), 0, RATE // 10
    quiet = noise(seconds + after, 50.0)
    for start in range(0, len(quiet), length):
        whole = start >= seconds * RATE
        at += 0 if whole or start % round(every * RATE) else round(0.4 * RATE)
        block = quiet[start : start + length].copy()
        watching.feed(Block(block, start=start + at, heard_at=START + (start + at) / RATE))
    return watching


@pytest.mark.parametrize(("every", "priority"), [(0.5, "medium"), (1.5, "medium"), (3.0, "low")])
def test_a_source_that_is_cut_up_is_told_although_it_delivers_no_whole_second(
    every: float, priority: str
) -> None:
    [condition] = cut_up(every, 90.0).conditions
    assert (condition.name, condition.priority) == (ConditionName.INTERRUPTED, priority)
    assert "times within a minute; check the network" in condition.reason
    assert START <= condition.since < START + 90.0


def test_a_gap_now_and_then_is_none_and_it_ends_when_the_audio_is_whole() -> None:
    assert cut_up(10.0, 120.0).conditions == ()
    assert cut_up(1.0, 60.0, after=70.0).conditions == ()
