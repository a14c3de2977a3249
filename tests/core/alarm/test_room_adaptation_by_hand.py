"""The bookkeeping of a room, step by step, with figures that can be counted on one's fingers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.room_adaptation import (
    AWAY,
    BINS,
    EDGES,
    HALF_LIFE,
    HIGHEST,
    LONGEST_WAIT,
    LOWEST,
    MOST_ALARMS,
    MOST_WAITING,
    Room,
    basis_of,
    judged,
    lived,
    noted,
    raised,
    reached,
    settled,
    thresholds_of,
)
from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.values import Label

CURVE = Curve(per_day=(4.0, 1.0), distress=(2.0, 4.0))
CURVES = {Label.PANIC: CURVE}
CONFIG = AlarmConfig(false_alarms_per_day=1.0)
KNOWN = Room(basis="measured")
MINUTE = 1 / 1440


def stretch(room: Room, peak: float, *, alarms: tuple[str, ...] = ()) -> Room:
    """A voice in distress, and then a minute that goes on and one in which nobody speaks."""
    room = noted(room, {Label.PANIC: peak})
    for alarm in alarms:
        room = raised(room, alarm)
    return lived(lived(room, MINUTE, present=False), MINUTE, present=False)


def counted(room: Room, level: Label = Label.PANIC) -> float:
    return sum(room.counts.get(level, ()))


def test_a_room_of_which_nothing_is_to_be_learned_stays_as_it_is() -> None:
    empty = Room()
    assert noted(empty, {Label.PANIC: 5.0}) is empty
    assert raised(empty, "a") is empty
    assert lived(empty, 1.0, present=True) is empty
    assert judged(empty, "a", true=True) is empty


def test_a_calm_voice_is_one_that_was_there_and_begins_nothing() -> None:
    room = lived(KNOWN, 0.25, present=False)
    after = noted(room, {})
    assert (after.voice_at, after.now) == (0.25, None)


def test_a_stretch_keeps_the_most_of_each_level() -> None:
    room = noted(noted(KNOWN, {Label.PANIC: 3.0, Label.ANGRY: 1.0}), {Label.PANIC: 2.0})
    room = noted(room, {Label.ANGRY: 4.0})
    assert room.now is not None
    assert room.now.peaks == {Label.PANIC: 3.0, Label.ANGRY: 4.0}


def test_a_stretch_ends_with_the_first_minute_in_which_nobody_spoke_and_no_alarm_was_present() -> None:
    room = noted(KNOWN, {Label.PANIC: 3.0})
    room = lived(room, MINUTE, present=False)
    assert room.now is not None, "somebody spoke in it"
    for _ in range(3):
        room = lived(room, MINUTE, present=True)
        assert room.now is not None
    room = lived(room, MINUTE, present=False)
    assert room.now is None
    assert counted(room) == 1.0


def test_a_peak_is_counted_in_the_bin_whose_edge_it_reached() -> None:
    for place in (0, 1, 17, BINS - 1):
        row = np.array(stretch(KNOWN, float(EDGES[place])).counts[Label.PANIC])
        assert np.flatnonzero(row).tolist() == [place]
        assert row[place] == 1.0
    assert np.flatnonzero(stretch(KNOWN, 1e6).counts[Label.PANIC]).tolist() == [BINS - 1]
    assert counted(stretch(KNOWN, float(EDGES[0]) * 0.999)) == 0.0, "hardly anything"
    assert EDGES[8] == pytest.approx(2 * EDGES[0]), "eight bins an octave"


def test_what_was_heard_fades_by_half_in_its_half_life_where_somebody_is_at_home() -> None:
    room = stretch(KNOWN, 3.0)
    before = room.days
    for _ in range(4 * int(HALF_LIFE)):
        room = lived(noted(room, {}), 0.25, present=False)
    assert counted(room) == pytest.approx(0.5, rel=1e-3)
    assert room.days == pytest.approx(before / 2 + sum(0.25 * 0.5 ** (n / 16) for n in range(16)), rel=1e-3)


def test_an_empty_room_shows_nothing() -> None:
    room = stretch(KNOWN, 3.0)
    room = lived(room, AWAY - (room.heard - room.voice_at) - 1e-9, present=False)
    days, count = room.days, counted(room)
    gone = lived(room, 5.0, present=False)
    assert (gone.days, counted(gone)) == (days, count)
    assert gone.heard == pytest.approx(room.heard + 5.0)


def test_a_stretch_with_an_alarm_waits_for_somebody_s_word() -> None:
    waits = stretch(KNOWN, 3.0, alarms=("a", "b"))
    assert counted(waits) == 0.0
    assert [one.alarms for one in waits.waiting] == [("a", "b")]
    right = judged(waits, "b", true=True)
    assert (right.waiting, counted(right)) == ((), 0.0)
    wrong = judged(waits, "a", true=False)
    assert (wrong.waiting, counted(wrong)) == ((), 1.0)
    assert judged(waits, "of another room", true=False) is waits


def test_a_word_while_the_stretch_goes_on_holds_for_all_of_it_and_is_not_taken_back() -> None:
    room = raised(noted(KNOWN, {Label.PANIC: 3.0}), "a")
    room = judged(judged(room, "a", true=True), "a", true=False)
    assert room.now is not None
    assert room.now.true
    room = lived(lived(room, MINUTE, present=False), MINUTE, present=False)
    assert (room.now, room.waiting, counted(room)) == (None, (), 0.0)


def test_without_a_word_it_counts_after_the_longest_wait() -> None:
    room = stretch(KNOWN, 3.0, alarms=("a",))
    over = room.waiting[0].over_at
    room = lived(room, LONGEST_WAIT - (room.heard - over) - 1e-6, present=False)
    assert (len(room.waiting), counted(room)) == (1, 0.0)
    room = lived(room, 1e-5, present=False)
    assert (room.waiting, counted(room)) == ((), 1.0)


def test_no_more_wait_than_may_and_the_oldest_counts() -> None:
    room = KNOWN
    for number in range(MOST_WAITING + 1):
        room = stretch(room, 3.0, alarms=(f"a{number}",))
    assert len(room.waiting) == MOST_WAITING
    assert room.waiting[0].alarms == ("a1",)
    assert counted(room) == pytest.approx(1.0, rel=0.02)


def test_of_many_alarms_the_latest_are_known_each_once() -> None:
    room = noted(KNOWN, {Label.PANIC: 3.0})
    for number in [*range(MOST_ALARMS + 3), 5]:
        room = raised(room, f"a{number}")
    assert room.now is not None
    expected = [f"a{number}" for number in range(3, MOST_ALARMS + 3) if number != 5] + ["a5"]
    assert list(room.now.alarms) == expected


def test_an_unknown_room_asks_for_what_the_model_does_and_a_noisy_one_for_more() -> None:
    fresh = settled(Room(), CONFIG, CURVES)
    assert fresh.basis == basis_of(CONFIG, CURVES)
    assert fresh.factors == {Label.PANIC: 1.0}
    noisy = fresh
    for _ in range(40):
        noisy = lived(stretch(noisy, 100.0), 0.1, present=False)
    noisy = settled(noisy, CONFIG, CURVES)
    assert noisy.factors[Label.PANIC] == HIGHEST
    quiet = fresh
    for _ in range(80):
        quiet = lived(noted(quiet, {}), 0.25, present=False)
    quiet = settled(quiet, CONFIG, CURVES)
    assert LOWEST <= quiet.factors[Label.PANIC] < 1.0


def test_what_was_measured_with_another_model_says_nothing() -> None:
    room = settled(Room(), CONFIG, CURVES)
    room = stretch(room, 5.0)
    other = {Label.PANIC: Curve(per_day=(4.0, 1.0), distress=(2.0, 4.5))}
    assert settled(room, CONFIG, CURVES).counts == room.counts
    assert settled(room, CONFIG, other).counts == {}
    assert basis_of(CONFIG, {}) == ""
    assert settled(room, CONFIG, {}) == Room()


def test_what_a_room_reaches_once_a_day_is_said_after_a_day() -> None:
    room = settled(Room(), CONFIG, CURVES)
    peak = float(EDGES[20])
    for _ in range(12):
        room = lived(stretch(room, peak), 0.08, present=False)
    assert room.days < 1.0
    assert reached(room, Label.PANIC) is None
    room = lived(noted(room, {}), 0.2, present=False)
    assert reached(room, Label.PANIC) == peak
    assert reached(room, Label.ANGRY) == 0.0


def test_thresholds_are_told_most_urgent_first_with_where_they_come_from() -> None:
    room = settled(Room(), CONFIG, CURVES)
    first, second = thresholds_of(CONFIG, CURVES, room)
    assert [first.level, second.level] == [Label.PANIC, Label.ANGRY]
    assert first.distress == first.usual == pytest.approx(CURVE.distress_for(1.0))
    assert "1 false alarms a day allowed" in first.reason
    assert "as shipped" in second.reason
    assert math.isfinite(second.distress)


def test_each_level_is_measured_against_its_own_threshold() -> None:
    angry = Curve(per_day=(4.0, 1.0), distress=(20.0, 40.0))
    room = settled(Room(), CONFIG, {Label.PANIC: CURVE, Label.ANGRY: angry})
    for _ in range(40):
        room = lived(stretch(room, 4.5), 0.1, present=False)
    both = settled(room, CONFIG, {Label.PANIC: CURVE, Label.ANGRY: angry})
    assert both.factors[Label.PANIC] > 1.0, "4.5 is more than the 4 that panic asks for"
    assert both.factors[Label.ANGRY] < 1.0, "and hardly anything beside 40"
