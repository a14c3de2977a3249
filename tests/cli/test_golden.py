"""Whole recordings give what they gave: each alert, utterance and rationale. Renewed by tests/golden.sh."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from support.figures import TOLERANCE
from support.golden import RUNS, first_difference, snapshot


@pytest.mark.parametrize("name", RUNS)
def test_a_recording_gives_what_it_gave(name: str, tmp_path: Path) -> None:
    assert first_difference(snapshot(name), RUNS[name](tmp_path)) is None


def test_the_snapshots_show_what_a_move_could_break() -> None:
    """Alarms by distress and by one utterance, escalated, amended and over; each who may decide and tell."""
    rows = [row for name in RUNS for row in snapshot(name)]
    assert {row.get("event") for row in rows} >= {"raised", "escalated", "amended", "cleared"}
    assert {row.get("label") for row in rows} >= {"calm", "angry", "panic"}
    assert {row.get("decided_by") for row in rows} >= {"svm", "llm"}
    assert {row.get("rationale_by") for row in rows} >= {"evidence", "reasoner"}
    reasons = [row["reason"].split()[0] for row in rows if row.get("type") == "alert"]
    assert {"distress", "one", "confirmed", "no"} <= set(reasons)


ROW: dict[str, Any] = {
    "label": "panic",
    "confidence": 0.9353,
    "probabilities": {"calm": 0.0507, "panic": 0.9353},
    "reason": "distress 3.1 (alarm from 3), 3 utterances in 5 s",
    "rules": ["high-thin-voice"],
    "clipped": 0.0,
    "cue": {"value": 143.88, "confidence": 0.43},
    "by": None,
}


def changed(path: str, value: object) -> list[dict[str, Any]]:
    row = copy.deepcopy(ROW)
    *parents, last = path.split(".")
    inner = row
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return [ROW, row]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("label", "angry", "line 2, label: was 'panic', is 'angry'"),
        ("confidence", 0.9434, "line 2, confidence: was 0.9353, is 0.9434"),
        ("probabilities.calm", 0.0426, "line 2, probabilities.calm: was 0.0507, is 0.0426"),
        ("reason", "distress 3.3 (alarm from 3), 3 utterances in 5 s", "line 2, reason: was"),
        ("reason", "distress 3.1 (alarm from 3), 4 utterances in 5 s", "line 2, reason: was"),
        ("rules", [], "line 2, rules.0: was 'high-thin-voice', is None"),
        ("clipped", 0, "line 2, clipped: was 0.0, is 0"),
        ("cue.value", 143.89, "line 2, cue.value: was 143.88, is 143.89"),
        ("cue.confidence", 0.4301, "line 2, cue.confidence: was 0.43, is 0.4301"),
        ("by", "nurse", "line 2, by: was None, is 'nurse'"),
        ("more", 1, "line 2, more: was None, is 1"),
    ],
)
def test_the_first_field_that_differs_is_named(path: str, value: object, named: str) -> None:
    assert str(first_difference([ROW, ROW], changed(path, value))).startswith(named)


@pytest.mark.parametrize("found", [[], [ROW], [ROW, ROW, ROW]])
def test_a_line_more_or_less_is_a_difference(found: list[dict[str, Any]]) -> None:
    assert first_difference([ROW, ROW], found) is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("confidence", 0.9353 + TOLERANCE),
        ("probabilities.calm", 0.0507 - TOLERANCE),
        ("reason", "distress 3.2 (alarm from 3), 3 utterances in 5 s"),
    ],
)
def test_what_another_library_rounds_otherwise_is_the_same(path: str, value: object) -> None:
    assert first_difference([ROW, ROW], changed(path, value)) is None
