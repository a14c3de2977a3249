import json
from dataclasses import replace

import numpy as np
import pytest
from support.decisions import decision
from support.evidence import decisions, evidence_of, model

from vser_stream.core.wire.audit_record import GENESIS, canonical, chained, rows_of, scored_of
from vser_stream.values import DecidedBy, Label, Probabilities


def test_what_the_svm_was_given_and_said_comes_back_bit_for_bit() -> None:
    for made in decisions():
        document = json.loads(evidence_of(made).document)
        rows = rows_of(document)
        assert made.rows is not None
        assert np.array_equal(rows, made.rows)
        assert scored_of(document) == made.scored == model().score(rows)
    assert {len(made.rows) for made in decisions() if made.rows is not None} == {1, 2}


def test_the_svm_and_the_last_word_are_both_told() -> None:
    first = decisions()[0]
    told = Probabilities(calm=0.1, angry=0.1, panic=0.8)
    settled = replace(first, probabilities=told, label=Label.PANIC, decided_by=DecidedBy.LLM)
    document = json.loads(evidence_of(settled).document)
    assert (document["label"], document["decided_by"]) == ("panic", "llm")
    assert Probabilities(**document["probabilities"]) == told
    assert scored_of(document) == first.scored


def test_what_calm_and_panic_were_made_of_is_told_beside_the_probabilities() -> None:
    told = Probabilities(calm=0.1, angry=0.1, panic=0.8, other=0.05, wordless=0.7)
    document = json.loads(evidence_of(replace(decisions()[0], probabilities=told, scored=told)).document)
    assert document["probabilities"] == {"calm": 0.1, "angry": 0.1, "panic": 0.8}
    assert document["parts"] == {"other": 0.05, "wordless": 0.7}
    assert scored_of(document) == told


def test_a_record_is_small_and_has_nothing_of_the_sound() -> None:
    for made in decisions():
        record = evidence_of(made)
        assert len(record.document) < 6500
        assert set(json.loads(record.document)) == {
            "schema", "site", "source", "recorded_at", "alert_id", "event", "kind", "heard_at", "ended_at",
            "label", "probabilities", "parts", "decided_by", "escalated", "svm", "cues", "rules", "rationale",
            "rationale_by", "reason", "versions", "look",
        }  # fmt: skip


def test_what_the_second_look_said_is_told() -> None:
    said = Probabilities.folded([0.1, 0.2, 0.3, 0.25, 0.15])
    document = json.loads(evidence_of(replace(decisions()[0], look=said)).document)
    assert document["look"] == pytest.approx(
        {"calm": 0.1, "angry": 0.2, "panic": 0.3, "other": 0.25, "scream": 0.15}
    )
    assert json.loads(evidence_of(replace(decisions()[0], look=None)).document)["look"] is None


def test_a_decision_without_rows_is_recorded_without() -> None:
    assert json.loads(evidence_of(decision(panic=1.0)).document)["svm"] is None


def test_the_canonical_form_does_not_change_when_it_is_read_and_written_again() -> None:
    document = evidence_of(decisions()[-1]).document
    assert canonical(json.loads(document)) == document


def test_a_hash_covers_the_document_and_all_that_came_before() -> None:
    first = chained(GENESIS, b"{}")
    assert len({first, chained(GENESIS, b"{ }"), chained(first, b"{}")}) == 3
