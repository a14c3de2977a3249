from dataclasses import replace

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.schema import SegmentConfig
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.alarm.threshold_curve import Curve
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.pipeline import Outcome, Pipeline, Rejected
from vser_stream.core.scoring.baseline import MODEL_INPUT, Prior
from vser_stream.values import (
    RATE,
    Block,
    Cut,
    DecidedBy,
    Decision,
    Label,
    Pcm,
    Probabilities,
    Rows,
    SegmentKind,
)

START = 1_700_000_000.0
SILENCE = np.zeros(RATE, np.int16)
PITCH = SwiftF0Tracker()

CALM = Probabilities(calm=0.9, angry=0.06, panic=0.04)
PANIC = Probabilities(calm=0.004, angry=0.006, panic=0.99)
UNSURE = Probabilities(calm=0.4, angry=0.35, panic=0.25)


class Always:
    """A scorer of one opinion."""

    def __init__(self, opinion: Probabilities) -> None:
        self._opinion = opinion

    def score(self, rows: Rows) -> Probabilities:
        assert rows.shape[1:] == (len(MODEL_INPUT),)
        return self._opinion


def pipeline(opinion: Probabilities, *, reasoner_expected: bool = False) -> Pipeline:
    ones = np.ones(len(FEATURES), np.float32)
    prior = Prior(location=ones, scale=ones, weight=ones)
    judge = Judge(Always(opinion), prior, escalate_below=0.6, reasoner_expected=reasoner_expected)
    return Pipeline(Decider(judge, PITCH), WebRtcVad())


def blocks_of(pcm: Pcm, length: int = 1600) -> list[Block]:
    return [
        Block(pcm[at : at + length].copy(), start=at, heard_at=START + at / RATE)
        for at in range(0, len(pcm), length)
    ]


def run(pipe: Pipeline, blocks: list[Block]) -> list[Outcome]:
    return [outcome for block in blocks for outcome in pipe.feed(block)] + pipe.flush()


def spoken(seconds: float) -> Pcm:
    return np.concatenate([SILENCE, voice(seconds), SILENCE])


def decisions(outcomes: list[Outcome], kind: SegmentKind) -> list[Decision]:
    judged = [outcome.what for outcome in outcomes if isinstance(outcome.what, Decision)]
    return [one for one in judged if one.segment.kind is kind]


def facts(outcome: Outcome) -> tuple[object, ...]:
    """An outcome as values that compare."""
    match outcome.what:
        case Decision() as it:
            return outcome.at, it.segment.kind, it.segment.onset, it.segment.end, it.rationale, it.evidence
        case Transition() as it:
            return outcome.at, it.event, it.level, it.reason
        case Rejected() as it:
            return outcome.at, it.segment.onset, it.reason


@pytest.mark.parametrize("length", [37, 480, 4001, 10**6])
def test_what_comes_out_does_not_depend_on_the_blocks(length: int) -> None:
    pcm = spoken(2.0)
    wanted = [facts(one) for one in run(pipeline(PANIC), blocks_of(pcm))]
    assert [facts(one) for one in run(pipeline(PANIC), blocks_of(pcm, length))] == wanted
    assert len(wanted) >= 3


def test_a_calm_voice_is_looked_at_every_second_and_an_unsure_one_twice_as_often() -> None:
    pcm = spoken(4.0)
    calm = decisions(run(pipeline(CALM), blocks_of(pcm)), SegmentKind.WINDOW)
    unsure = decisions(run(pipeline(UNSURE), blocks_of(pcm)), SegmentKind.WINDOW)
    assert [one.segment.end for one in calm] == [one.segment.end for one in unsure][::2]
    assert len(unsure) > len(calm) > 1


def test_once_panic_is_on_windows_are_left_out_and_utterances_are_not() -> None:
    outcomes = run(pipeline(PANIC), blocks_of(np.concatenate([spoken(4.0), spoken(4.0)])))
    assert len(decisions(outcomes, SegmentKind.WINDOW)) == 1
    assert len(decisions(outcomes, SegmentKind.UTTERANCE)) >= 2


def test_an_alarm_is_raised_by_a_window_before_the_speaker_has_finished() -> None:
    outcomes = run(pipeline(PANIC), blocks_of(spoken(4.0)))
    raised = next(one for one in outcomes if isinstance(one.what, Transition))
    assert isinstance(raised.what, Transition)
    assert raised.what.level is Label.PANIC
    assert raised.at < (1.0 + 1.5) * RATE  # the voice starts at 1 s, the first window is 1 s long
    assert raised.now == pytest.approx(START + raised.at / RATE)


def test_a_room_is_learned_by_the_minute_that_was_heard_and_not_where_no_room_can_be_heard() -> None:
    curve = Curve(per_day=(4.0, 1.0), distress=(2.0, 4.0))
    quiet = np.random.default_rng(0).normal(scale=20.0, size=120 * RATE).astype(np.int16)
    for room, minutes in ((quiet, 2), (np.zeros_like(quiet), 0)):
        pipe = Pipeline(pipeline(CALM).decider, WebRtcVad(), curves={Label.PANIC: curve})
        run(pipe, blocks_of(np.concatenate([spoken(1.5), room])))
        assert pipe.room.heard == pytest.approx(minutes / 1440)
        pipe.wait(START + 7200)  # without audio
        assert pipe.room.heard == pytest.approx(minutes / 1440)


def test_only_calm_utterances_move_the_baseline() -> None:
    for opinion, learned in [(CALM, 1.0), (PANIC, 0.0), (UNSURE, 0.0)]:
        pipe = pipeline(opinion)
        run(pipe, blocks_of(spoken(3.0)))
        assert pipe.decider.baseline.count == learned


def test_loud_noise_is_not_judged_and_raises_nothing() -> None:
    noise = np.random.default_rng(0).normal(scale=5000.0, size=3 * RATE).clip(-32768, 32767).astype(np.int16)
    outcomes = run(pipeline(PANIC), blocks_of(np.concatenate([SILENCE, noise, SILENCE])))
    assert outcomes
    assert {type(outcome.what) for outcome in outcomes} == {Rejected}


def test_a_gap_closes_the_utterance_and_is_counted() -> None:
    blocks = blocks_of(np.concatenate([SILENCE, voice(3.0)]))
    del blocks[25:27]
    pipe = pipeline(CALM)
    utterances = decisions(run(pipe, blocks), SegmentKind.UTTERANCE)
    assert utterances[0].segment.cut is Cut.GAP
    assert utterances[0].segment.end <= 25 * 1600
    assert utterances[1].segment.start >= 27 * 1600
    assert pipe.gaps == 1


def test_the_ambiguous_are_marked_and_a_fallback_only_where_a_reasoner_was_expected() -> None:
    for expected, by in [(False, DecidedBy.SVM), (True, DecidedBy.FALLBACK)]:
        outcomes = run(pipeline(UNSURE, reasoner_expected=expected), blocks_of(spoken(1.5)))
        (decision,) = decisions(outcomes, SegmentKind.UTTERANCE)
        assert (decision.escalated, decision.decided_by) == (True, by)
    (sure,) = decisions(
        run(pipeline(CALM, reasoner_expected=True), blocks_of(spoken(1.5))), SegmentKind.UTTERANCE
    )
    assert (sure.escalated, sure.decided_by) == (False, DecidedBy.SVM)


def test_an_overdriven_voice_can_be_panic_but_not_calm() -> None:
    overdriven = (spoken(3.0).astype(np.int32) * 40).clip(-32768, 32767).astype(np.int16)
    calm = run(pipeline(CALM), blocks_of(overdriven))
    assert {type(outcome.what) for outcome in calm} == {Rejected}
    assert isinstance(calm[-1].what, Rejected)
    assert "too overdriven to be called calm" in calm[-1].what.reason
    assert any(
        isinstance(outcome.what, Transition) for outcome in run(pipeline(PANIC), blocks_of(overdriven))
    )


def test_a_voice_that_drowns_in_noise_is_not_judged() -> None:
    noise = np.random.default_rng(0).normal(scale=4000.0, size=24 * RATE)
    noise[20 * RATE :] += 0.3 * voice(4.0)  # by then the noise floor is known
    pipe = Pipeline(pipeline(PANIC).decider, WebRtcVad(), segment=SegmentConfig(above_floor_db=0.0))
    outcomes = run(pipe, blocks_of(noise.clip(-32768, 32767).astype(np.int16)))
    assert isinstance(outcomes[-1].what, Rejected)
    assert "too noisy to judge" in outcomes[-1].what.reason
    assert not [one for one in outcomes if isinstance(one.what, Decision)]


def test_a_clock_that_is_set_forward_makes_no_alarm_older() -> None:
    pipe = pipeline(PANIC)
    before = blocks_of(voice(4.0))
    after = [replace(block, heard_at=block.heard_at + 3600.0) for block in blocks_of(voice(40.0))[40:]]
    told = [
        (round(outcome.now - START), outcome.what.event, outcome.what.reason)
        for outcome in run(pipe, [*before, *after])
        if isinstance(outcome.what, Transition)
    ]
    assert next(event for _, event, _ in told) is AlarmEvent.RAISED
    assert AlarmEvent.LATCHED not in {event for _, event, _ in told}
    ignored = [(at, reason) for at, event, reason in told if event is AlarmEvent.UNACKNOWLEDGED]
    assert len(ignored) == 1, "the first step, 30 s after it was raised"
    at, reason = ignored[0]
    assert 3630 <= at <= 3636
    assert reason == "unacknowledged for 30 s"


def test_a_clock_that_is_set_forward_while_nothing_is_heard_makes_no_alarm_older() -> None:
    pipe = pipeline(PANIC)
    raised = [one for one in run(pipe, blocks_of(voice(4.0))) if isinstance(one.what, Transition)]
    assert raised
    for second in range(20):
        assert pipe.wait(START + 4.0 + second) == []
    assert pipe.wait(START + 3624.0) == []
    told = [one.what for second in range(20) for one in pipe.wait(START + 3624.0 + second)]
    assert [one.event for one in told if isinstance(one, Transition)] == [AlarmEvent.UNACKNOWLEDGED]


def test_what_came_due_while_nobody_listened_still_counts() -> None:
    earlier, later = pipeline(PANIC), pipeline(PANIC)
    run(earlier, blocks_of(voice(4.0)))
    later.alarm = earlier.alarm
    told = [one.what for one in later.wait(START + 100.0)]
    assert [one.event for one in told if isinstance(one, Transition)] == [AlarmEvent.UNACKNOWLEDGED]
