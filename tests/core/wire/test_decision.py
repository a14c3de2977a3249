"""One place knows the fields of a decision; what tells of one takes them from there."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.decisions import START, decision
from support.documents import PANIC

from vser_stream.core.alarm.state import Alarm, AlarmEvent, AlarmState, Transition
from vser_stream.core.wire.audit_record import record_of
from vser_stream.core.wire.decision import cue_fields, decision_from, fields_of, shares_from
from vser_stream.core.wire.documents import Alert, Origin, Utterance, Versions, alert_of, utterance_of
from vser_stream.core.wire.source_snapshot import Remembered, recall, remember
from vser_stream.values import Cue, DecidedBy, Decision, Label, Probabilities, RationaleBy

VERSIONS = Versions(package="0.1.0", model="m@1")
ORIGIN = Origin("h", "b", VERSIONS)

NOT_TOLD = {"segment", "second", "look", "rows", "scored"}
"""The sound, which nobody is told of; and what a record alone has, for whoever scores it again."""

ALL = replace(
    decision(calm=0.02, angry=0.08, panic=0.9, other=0.015, wordless=0.7, at=3.0),
    escalated=True,
    decided_by=DecidedBy.LLM,
    rationale="Why.",
    rationale_by=RationaleBy.REASONER,
    evidence=(Cue("pitch level", 262.0, "Hz", 180.0, 3.6, 0.75), Cue("pauses", 1.25, "%", 9.0, -1.5)),
    rules=("high-thin-voice",),
)


def told_by_all(made: Decision) -> dict[str, dict[str, object]]:
    """The fields of a decision in each document that tells of one."""
    transition = Transition(AlarmEvent.RAISED, made.label, made, "why", heard=True)
    alert = alert_of(
        transition,
        origin=ORIGIN,
        event_id="e",
        alert_id="a",
        seq=1,
        published_at=START,
    )
    record = record_of(made, origin=ORIGIN, recorded_at=START)
    alarm = Alarm(made.label, present=True, decision=made, supported_at=START, signalled_at=START)
    kept = remember(Remembered(AlarmState(alarm=alarm, at=START)), features="f")
    told = {
        "alert": json.loads(alert.model_dump_json()),
        "utterance": json.loads(utterance_of(made, site="h", source="b").model_dump_json()),
        "record": json.loads(record.document),
        "memory": json.loads(kept)["alarm"]["decision"],
    }
    told["record"]["evidence"] = told["record"].pop("cues")
    return told


def test_every_field_of_a_decision_is_told_or_named_here() -> None:
    assert {one.name for one in fields(Decision)} - NOT_TOLD <= set(fields_of(ALL))
    assert {one.name for one in fields(Cue)} == set(cue_fields(ALL.evidence[0]))


@pytest.mark.parametrize("made", [ALL, PANIC])
def test_all_that_tell_of_a_decision_say_the_same(made: Decision) -> None:
    told = told_by_all(made)
    same = set(fields_of(made)) - {"escalated", "heard_at", "ended_at"}
    for name in same - {"evidence"}:
        assert len({json.dumps(each[name], sort_keys=True) for each in told.values()}) == 1, name
    cues = [cue_fields(cue) for cue in made.evidence]
    assert told["alert"]["evidence"] == told["utterance"]["evidence"] == told["record"]["evidence"] == cues
    assert told["memory"]["evidence"] == [
        one | {"word": cue.word} for one, cue in zip(cues, made.evidence, strict=True)
    ]
    assert [told[each]["escalated"] for each in ("utterance", "record", "memory")] == 3 * [made.escalated]


def test_only_what_is_published_is_rounded() -> None:
    third = replace(ALL, probabilities=Probabilities(1 / 3, 1 / 3, 1 / 3, other=1 / 7))
    told = told_by_all(third)
    for kind in ("alert", "utterance"):
        assert told[kind]["probabilities"] == {"calm": 0.3333, "angry": 0.3333, "panic": 0.3333}
        assert told[kind]["parts"] == {"other": 0.1429, "wordless": 0.0}
    for kind in ("record", "memory"):
        assert shares_from(told[kind]) == third.probabilities


def test_the_bytes_of_a_document_are_those_of_the_contract() -> None:
    """The order of the fields, too: whoever compares texts sees no change."""
    assert list(Alert.model_fields) == [
        "schema_", "id", "alert_id", "seq", "event", "site", "source", "label", "priority", "probabilities",
        "confidence", "decided_by", "reason", "rationale", "evidence", "rules", "heard_at", "ended_at",
        "published_at", "latency_ms", "versions", "rationale_by", "late", "by", "until", "step", "parts",
    ]  # fmt: skip
    assert list(Utterance.model_fields) == [
        "schema_", "site", "source", "label", "probabilities", "confidence", "decided_by", "escalated",
        "rationale", "evidence", "rules", "start_s", "end_s", "heard_at", "ended_at", "snr_db", "clipped",
        "rationale_by", "parts",
    ]  # fmt: skip
    assert list(told_by_all(ALL)["alert"]["evidence"][0]) == [  # type: ignore[index]
        "name", "value", "unit", "baseline", "z", "confidence",
    ]  # fmt: skip


@given(
    made=st.builds(
        replace,
        st.just(ALL),
        label=st.sampled_from(Label),
        probabilities=st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5).map(Probabilities.folded),
        escalated=st.booleans(),
        decided_by=st.sampled_from(DecidedBy),
        rationale=st.text(max_size=20),
        rationale_by=st.sampled_from(RationaleBy),
        rules=st.lists(st.text(max_size=5)).map(tuple),
    )
)
def test_what_was_written_down_comes_back(made: Decision) -> None:
    told = fields_of(made) | {"evidence": [cue_fields(cue) for cue in made.evidence]}
    again = decision_from(json.loads(json.dumps(told)), made.segment)
    assert fields_of(again) == fields_of(made)


def test_a_memory_of_before_has_the_same_cues() -> None:
    alarm = Alarm(ALL.label, present=True, decision=ALL, supported_at=START, signalled_at=START)
    kept = json.loads(remember(Remembered(AlarmState(alarm=alarm, at=START)), features="f"))
    for one in kept["alarm"]["decision"]["evidence"]:
        del one["word"]  # as a later release may write it
    for document in (
        remember(Remembered(AlarmState(alarm=alarm, at=START)), features="f"),
        json.dumps(kept).encode(),
    ):
        known = recall(document, features="f").alarm.alarm
        assert known is not None
        assert known.decision.evidence == ALL.evidence


@pytest.mark.parametrize("parts", [{"other": 0.5}, {"wordless": 0.5}])
def test_a_part_that_is_more_than_its_whole_makes_no_sense(parts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="more than its whole"):
        shares_from({"probabilities": {"calm": 0.4, "angry": 0.2, "panic": 0.4}, "parts": parts})


@pytest.mark.parametrize(
    "damage", [{"confidence": 1.5}, {"confidence": -0.1}, {"word": "near"}, {"z": "far"}]
)
def test_a_cue_nobody_measured_is_refused_in_a_document(damage: dict[str, object]) -> None:
    told = told_by_all(ALL)["utterance"]
    assert Utterance.model_validate_json(json.dumps(told)).evidence == ALL.evidence
    told["evidence"][0] |= damage  # type: ignore[index]
    with pytest.raises(ValidationError, match=rf"evidence\.0\.{next(iter(damage))}"):
        Utterance.model_validate_json(json.dumps(told))
