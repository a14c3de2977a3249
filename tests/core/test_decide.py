from __future__ import annotations

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.writer import Writer
from vser_stream.core.scoring.baseline import MODEL_INPUT, Prior
from vser_stream.core.scoring.loudness import LOUDNESS
from vser_stream.core.scoring.second_look import Fusion, Look, fused, heard
from vser_stream.values import (
    RATE,
    DecidedBy,
    Decision,
    Label,
    Pcm,
    Probabilities,
    RationaleBy,
    Rows,
    Segment,
    SegmentKind,
)

ONES = np.ones(len(FEATURES), np.float32)
PITCH = SwiftF0Tracker()
FUSION = Fusion(first=0.7, look=0.9, bias=(0.0, 0.1, 0.2, 0.0, -0.3))

CALM = Probabilities.folded([0.75, 0.05, 0.0, 0.2, 0.0])
UNSURE = Probabilities.folded([0.4, 0.3, 0.2, 0.05, 0.05])
SCREAM = Probabilities.folded([0.02, 0.02, 0.16, 0.1, 0.7])
LAUGHTER = Probabilities.folded([0.02, 0.02, 0.02, 0.92, 0.02])


class Always:
    def __init__(self, opinion: Probabilities) -> None:
        self._opinion = opinion

    def score(self, _rows: Rows) -> Probabilities:
        return self._opinion


class Ears:
    """Says the same of every sound, or nothing in time, and remembers what it was given."""

    answered = late = 0

    def __init__(self, opinion: Probabilities | None) -> None:
        self._opinion = opinion
        self.heard: list[Pcm] = []
        self.rows: list[Rows] = []

    def look(self, pcm: Pcm, rows: Rows) -> Probabilities | None:
        self.heard.append(pcm)
        self.rows.append(rows)
        return self._opinion


def segment(kind: SegmentKind = SegmentKind.UTTERANCE) -> Segment:
    pcm = np.concatenate([np.zeros(RATE // 2, np.int16), voice(1.5), np.zeros(RATE // 2, np.int16)])
    return Segment(kind, pcm, start=0, onset=RATE // 2, end=2 * RATE, heard_at=0.0, floor_db=-60.0)


def decided(
    svm: Probabilities,
    ears: Ears | None,
    *,
    kind: SegmentKind = SegmentKind.UTTERANCE,
) -> Decision:
    judge = Judge(
        Always(svm),
        Prior(ONES, ONES, ONES),
        escalate_below=0.6,
        look=None if ears is None else Look(ears, FUSION, unless_calm=0.9),
    )
    decider, one = Decider(judge, PITCH), segment(kind)
    return decider.decide(one, decider.measure(one))


@pytest.mark.parametrize("kind", SegmentKind)
def test_what_is_not_surely_calm_is_heard_again_and_both_decide(kind: SegmentKind) -> None:
    ears = Ears(SCREAM)
    decision = decided(UNSURE, ears, kind=kind)
    assert [len(pcm) for pcm in ears.heard] == [len(heard(segment(kind)))]
    assert np.array_equal(ears.heard[0], heard(segment(kind)))
    assert [rows is decision.rows for rows in ears.rows] == [True]
    assert decision.probabilities == fused(UNSURE, SCREAM, FUSION)
    assert decision.label is Label.PANIC
    assert decision.probabilities.wordless > 0.3
    assert (decision.scored, decision.look) == (UNSURE, SCREAM)


def test_lively_sounds_are_taken_from_the_alarm() -> None:
    assert decided(SCREAM, Ears(LAUGHTER)).label is Label.CALM
    assert decided(SCREAM, None).label is Label.PANIC


def test_what_is_surely_calm_is_not_heard_again() -> None:
    ears = Ears(SCREAM)
    decision = decided(CALM, ears)
    assert (ears.heard, decision.look) == ([], None)
    assert decision.probabilities == CALM


def test_what_comes_too_late_leaves_the_svm_to_decide() -> None:
    late, without = decided(UNSURE, Ears(None)), decided(UNSURE, None)
    assert late.probabilities == without.probabilities == UNSURE
    assert (late.label, late.escalated, late.decided_by) == (
        without.label,
        without.escalated,
        without.decided_by,
    )
    assert late.look is None


def test_a_reasoner_is_told_what_was_heard() -> None:
    doubtful = Probabilities.folded([0.3, 0.3, 0.1, 0.2, 0.1])
    assert decided(UNSURE, Ears(doubtful)).second == doubtful
    assert decided(UNSURE, Ears(None)).second is None
    assert decided(UNSURE, None).second is None
    settled = decided(UNSURE, Ears(SCREAM))
    assert not settled.escalated
    assert settled.second is None, "nobody weighs what is clear"


def test_how_loud_a_voice_is_among_what_was_heard_is_told_and_windows_are_not_remembered() -> None:
    decider = Decider(Judge(Always(CALM), Prior(ONES, ONES, ONES), escalate_below=0.6), PITCH)
    utterance, window = segment(), segment(SegmentKind.WINDOW)
    vector = decider.measure(utterance)
    columns = [MODEL_INPUT.index(name) for name in LOUDNESS]

    def known(one: Segment, louder: float = 0.0) -> list[float]:
        rows = decider.decide(one, vector + np.float32(louder)).rows
        assert rows is not None
        return [float(value) for value in rows[0, columns]]

    for _ in range(5):
        assert known(window) == [0.0, 0.0, 0.0], "nothing was remembered of a window"
    for _ in range(3):
        assert known(utterance) == [0.0, 0.0, 0.0], "of an utterance nothing before it is over"
    before = known(window)
    assert before[0] == pytest.approx(0.0, abs=1e-6)
    assert before[2] == pytest.approx(3 / 8)
    assert known(window, louder=6.0)[:2] == pytest.approx([value + 1.0 for value in before[:2]], abs=1e-4)
    assert known(window) == before


def judge(svm: Probabilities, *, reasoner_expected: bool = False) -> Judge:
    prior = Prior(ONES, ONES, ONES)
    return Judge(Always(svm), prior, escalate_below=0.6, reasoner_expected=reasoner_expected)


def one_decided(of: Judge) -> Decision:
    decider, one = Decider(of, PITCH), segment()
    return decider.decide(one, decider.measure(one))


def test_the_svm_decides_in_place_of_a_reasoner_only_where_one_was_expected_and_it_is_ambiguous() -> None:
    def by(svm: Probabilities, *, expected: bool) -> tuple[bool, DecidedBy]:
        decision = one_decided(judge(svm, reasoner_expected=expected))
        return decision.escalated, decision.decided_by

    assert by(UNSURE, expected=True) == (True, DecidedBy.FALLBACK)
    assert by(UNSURE, expected=False) == (True, DecidedBy.SVM)
    assert by(CALM, expected=True) == (False, DecidedBy.SVM)


def test_a_decision_has_its_cues_and_says_why() -> None:
    decision = one_decided(judge(UNSURE))
    assert decision.evidence
    assert decision.rationale
    assert decision.rationale_by is RationaleBy.EVIDENCE
    assert not any(cue.name == "intensity" for cue in decision.evidence), "the source is not known yet"


def test_it_judges_from_the_population_at_first_and_from_the_speaker_once_it_has_learned() -> None:
    decider, one = Decider(judge(CALM), PITCH), segment()
    vector = decider.measure(one)
    rows = decider.decide(one, vector).rows
    assert rows is not None
    assert rows.shape == (1, len(MODEL_INPUT))
    decider.learn(vector)
    assert decider.baseline.count == 1.0
    again = decider.decide(one, vector)
    assert again.rows is not None
    assert again.rows.shape == (2, len(MODEL_INPUT)), "from where it began, too"
    assert any(cue.name == "intensity" for cue in again.evidence)
    decider.start_from(None)
    assert decider.baseline.count == 0.0
    fresh = decider.decide(one, vector).rows
    assert fresh is not None
    columns = [place for place, name in enumerate(MODEL_INPUT) if name not in LOUDNESS]
    assert np.array_equal(fresh[:, columns], rows[:, columns])


def test_what_is_known_to_be_calm_becomes_where_it_begins() -> None:
    decider, one = Decider(judge(CALM), PITCH), segment()
    vector = decider.measure(one)
    decider.enrol(vector)
    assert (decider.baseline.count, decider.baseline.anchor) == (1.0, None)
    rows = decider.decide(one, vector).rows
    assert rows is not None
    assert len(rows) == 1
    kept = decider.baseline
    other = Decider(judge(CALM), PITCH, baseline=kept)
    assert other.baseline is kept


def test_it_learns_nothing_by_judging() -> None:
    decider, one = Decider(judge(CALM), PITCH), segment()
    before = decider.baseline
    for _ in range(3):
        decider.decide(one, decider.measure(one))
    assert decider.baseline is before


def test_rules_may_be_exchanged_between_two_decisions() -> None:
    tongues = iter([Language.EN, Language.VI])
    decider = Decider(
        Judge(
            Always(CALM),
            Prior(ONES, ONES, ONES),
            escalate_below=0.6,
            writer=lambda: Writer(language=next(tongues)),
        ),
        PITCH,
    )
    one = segment()
    vector = decider.measure(one)
    first, second = decider.decide(one, vector).rationale, decider.decide(one, vector).rationale
    assert first != second
    assert any(ord(letter) > 127 for letter in second)
