from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.decisions import START, decision
from support.flips import flipped

from vser_stream.config.locations import shipped_model
from vser_stream.config.schema import AlarmConfig, PanicConfig
from vser_stream.core.alarm.room_adaptation import BINS, Room, lived, noted, raised, settled
from vser_stream.core.alarm.state import AlarmState
from vser_stream.core.alarm.state_machine import acknowledge, pause, step, tick
from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.wire.numbering import Story
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.values import Label

CONFIG = AlarmConfig(panic=PanicConfig(fast=0.9))
CURVE = Curve(per_day=(4.0, 1.0), distress=(2.0, 4.0))
SHAPE = len(FEATURES)


def shown() -> Room:
    """A room with all that one can have: counts, an alarm nobody has judged, and one that goes on."""
    room = settled(Room(), CONFIG, {Label.PANIC: CURVE})
    for alarms in ((), ("a1", "a2"), ("a3",)):
        room = noted(room, {Label.PANIC: 5.0, Label.ANGRY: 6.0})
        for alert_id in alarms:
            room = raised(room, alert_id)
        if alarms != ("a3",):
            room = lived(lived(room, 0.125, present=False), 0.125, present=False)
    assert room.now
    assert room.waiting
    return room


def known() -> Remembered:
    """All there can be: an acknowledged panic, a pause, and a calm voice that has moved."""
    state, now = AlarmState(), START
    for number in range(4):
        now = START + 3.0 * number
        state, _ = step(
            state,
            decision(at=now - START, panic=0.95, calm=0.05, other=0.01, wordless=0.9),
            now,
            config=CONFIG,
        )
    state, _ = acknowledge(state, now, by="Ana", config=CONFIG)
    state = pause(state, now, for_s=600, by="Bình", config=CONFIG)
    state = replace(state, room=shown())
    ones = np.ones(SHAPE, np.float32)
    baseline = Baseline.from_prior(Prior(location=ones, scale=ones, weight=ones)).updated(2 * ones)
    return Remembered(state, Story(seq=7, alert_id="a", since=START), baseline)


DOCUMENT = remember(known(), features="f")


def test_all_of_it_comes_back() -> None:
    again = recall(DOCUMENT, features="f")
    assert again.alarm.alarm is not None
    assert again.alarm.alarm.decision.probabilities.parts == {"other": 0.01, "wordless": 0.9}
    assert remember(again, features="f") == DOCUMENT


def test_a_calm_voice_of_the_same_features_by_their_earlier_digest_comes_back() -> None:
    manifest = tomllib.loads((shipped_model() / "manifest.toml").read_text())
    earlier = "514a4b6333f0b9cbe617f5bb0966a5435ee9978fd382eb25f7b92bbaa0bf3ac5"
    assert manifest["features"] != earlier
    again = recall(remember(known(), features=earlier), features=manifest["features"])
    assert again.baseline is not None
    assert not again.outdated
    assert remember(again, features="f") == DOCUMENT
    assert recall(remember(known(), features=earlier), features="of a later build").outdated


def test_an_alarm_of_a_model_that_told_no_parts_comes_back() -> None:
    document = changed(alarm__decision__probabilities={"calm": 0.05, "angry": 0.0, "panic": 0.95})
    without = json.loads(document)
    del without["alarm"]["decision"]["parts"]
    again = recall(json.dumps(without).encode(), features="f")
    assert again.alarm.alarm is not None
    assert again.alarm.alarm.decision.probabilities.parts is None


def test_a_room_comes_back_and_what_was_written_before_there_was_one_is_read() -> None:
    document = json.loads(DOCUMENT)
    again = recall(DOCUMENT, features="f")
    assert settled(again.alarm.room, CONFIG, {Label.PANIC: CURVE}).counts.keys() == shown().counts.keys()
    assert (again.alarm.room.now, again.alarm.room.waiting) == (shown().now, shown().waiting)
    del document["room"]
    older = recall(json.dumps(document).encode(), features="f")
    assert older.alarm.room == Room()
    assert json.loads(remember(older, features="f")) == document | {"room": None}
    assert json.loads(remember(Remembered(), features="f"))["room"] is None


def test_a_bit_that_was_turned_over_is_noticed_or_harmless() -> None:
    refused = 0
    for damaged in flipped(DOCUMENT, times=1500):
        try:
            again = recall(damaged, features="f")
        except ValueError:
            refused += 1
            continue
        # Whatever was accepted works: time goes on, people answer, and it is kept again.
        state, _ = tick(again.alarm, START + 3600, config=CONFIG)
        state, _ = step(state, decision(at=3601, panic=0.95, calm=0.05), START + 3601, config=CONFIG)
        assert state.alarm is not None
        recall(remember(Remembered(state, again.story, again.baseline), features="f"), features="f")
        if again.baseline is not None:
            assert np.isfinite(again.baseline.relative(np.ones(SHAPE, np.float32))).all()
    assert refused > 300


def changed(**new: object) -> bytes:
    document = json.loads(DOCUMENT)
    for path, value in new.items():
        *parents, last = path.split("__")
        place: Any = document
        for name in parents:
            place = place[name]
        place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "new",
    [
        {"baseline__calm__location": [float("nan")] * SHAPE},
        {"baseline__calm__scale": [0.0] * SHAPE},
        {"baseline__calm__scale": [1e300] * SHAPE},
        {"baseline__calm__weight": [1.0] * (SHAPE - 1)},
        {"baseline__calm__location": [[1.0]] * SHAPE},
        {"baseline__calm__location": "x"},
        {"baseline__calm__count": [1e6]},
        {"baseline__calm__count": []},
        {"baseline__calm__anchor_scale": [-1.0] * SHAPE},
        {"cleared_at": {"panic": START + 1e8}},
        {"cleared_at": {"sad": START}},
        {"pause__until": START + 1e9},
        {"pause__until": "soon"},
        {"at": 1e30},
        {"alarm__acknowledged__until": START + 1e9},
        {"alarm__decision__probabilities__panic": 7.0},
        {"alarm__decision__parts__wordless": 0.96},
        {"alarm__decision__parts__other": 0.06},
        {"alarm__decision__parts__other": -0.1},
        {"alarm__decision__parts": {"laughter": 0.01}},
        {"alarm__decision__evidence": [{"name": "x"}]},
        {"alarm__told": -1},
        {"story__seq": "7"},
        {"story": []},
        {"schema": "vser.memory/9"},
        {"room__heard": -1.0},
        {"room__heard": 0.1},
        {"room__days": 1e9},
        {"room__counts__panic": [1.0]},
        {"room__counts__panic": [-1.0] * BINS},
        {"room__counts": {"calm": [0.0] * BINS}},
        {"room__waiting": "x"},
        {"room__now__peaks": {"panic": "much"}},
        {"room": []},
    ],
    ids=lambda new: next(iter(new)),
)
def test_what_would_silence_a_source_or_confuse_an_alarm_is_refused(new: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        recall(changed(**new), features="f")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("document", [b"", b"[]", b"null", b"1", b"\xff", b"[" * 100_000, b'{"schema": 1}'])
def test_nonsense_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        recall(document, features="f")
