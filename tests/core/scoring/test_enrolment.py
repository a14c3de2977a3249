from __future__ import annotations

import numpy as np
import pytest
from support.audio import voice

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.schema import SegmentConfig
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.scoring.enrolment import ENOUGH, Calibration
from vser_stream.values import RATE, Block, Decision, Pcm, Probabilities, Rows, SegmentKind

PITCH = SwiftF0Tracker()
ONES = np.ones(len(FEATURES), np.float32)
PRIOR = Prior(location=ONES, scale=ONES, weight=ONES)
SILENCE = np.zeros(RATE, np.int16)
SPOKEN = np.concatenate([SILENCE, voice(2.0), SILENCE, voice(3.0, seed=2), SILENCE])


class Undecided:
    """A scorer from whose decisions nothing is learned."""

    def score(self, rows: Rows) -> Probabilities:
        assert len(rows)
        return Probabilities(calm=0.4, angry=0.3, panic=0.3)


def blocks_of(pcm: Pcm, length: int = 1600) -> list[Block]:
    return [Block(pcm[at : at + length].copy(), start=at, heard_at=0.0) for at in range(0, len(pcm), length)]


def calibrated(pcm: Pcm, *, length: int = 1600) -> Calibration:
    calibration = Calibration(PRIOR, PITCH, WebRtcVad())
    for block in blocks_of(pcm, length):
        calibration.feed(block)
    calibration.flush()
    return calibration


def test_it_learns_the_utterances_as_the_live_agent_measures_them() -> None:
    decider = Decider(Judge(Undecided(), PRIOR, escalate_below=0.6), PITCH)
    pipeline = Pipeline(decider, WebRtcVad())
    outcomes = [outcome for block in blocks_of(SPOKEN) for outcome in pipeline.feed(block)]
    decided = [outcome.what for outcome in outcomes + pipeline.flush()]
    expected = Baseline.from_prior(PRIOR)
    for one in decided:
        if isinstance(one, Decision) and one.segment.kind is SegmentKind.UTTERANCE:
            vector = Decider(decider._judge, PITCH).measure(one.segment)  # noqa: SLF001
            expected = expected.updated(vector).enrolled()
    heard = calibrated(SPOKEN)
    assert heard.utterances >= 2
    assert heard.baseline.to_lists() == expected.to_lists()


def test_it_does_not_depend_on_how_the_audio_was_cut() -> None:
    one, other = calibrated(SPOKEN), calibrated(SPOKEN, length=331)
    assert one.baseline.to_lists() == other.baseline.to_lists()
    assert one.voiced_s == other.voiced_s > 1.0


def test_silence_teaches_nothing() -> None:
    heard = calibrated(np.concatenate([SILENCE] * 3))
    assert (heard.utterances, heard.voiced_s, heard.refused) == (0, 0.0, {})


def test_an_overdriven_voice_is_not_taken_for_calm() -> None:
    loud = (SPOKEN.astype(np.int32) * 300).clip(-32768, 32767).astype(np.int16)
    heard = calibrated(loud)
    assert heard.utterances == 0
    assert heard.refused["overdriven"] >= 2


def test_a_voice_that_drowns_in_noise_is_not_measured() -> None:
    noise = np.random.default_rng(0).normal(scale=4000.0, size=24 * RATE)
    noise[20 * RATE :] += 0.3 * voice(4.0)  # by then the noise floor is known
    calibration = Calibration(PRIOR, PITCH, WebRtcVad(), segment=SegmentConfig(above_floor_db=0.0))
    for block in blocks_of(noise.clip(-32768, 32767).astype(np.int16)):
        calibration.feed(block)
    calibration.flush()
    assert calibration.utterances == 0
    assert calibration.refused["too noisy"] == 1


def test_noise_without_a_voice_is_not_measured() -> None:
    rng = np.random.default_rng(0)
    hiss = np.concatenate([rng.normal(0, 1500, RATE // 2), rng.normal(0, 3, RATE)])
    heard = calibrated(np.concatenate([SILENCE, np.tile(hiss, 4).astype(np.int16)]))
    assert heard.utterances == 0
    assert heard.refused["no voice"] >= 1


def test_what_was_heard_is_told_in_figures_for_people() -> None:
    nothing = Calibration(PRIOR, PITCH, WebRtcVad())
    assert nothing.facts == {"stored": False, "utterances": 0, "voice_s": 0.0, "seconds": 0.0, "refused": {}}
    assert nothing.level_db is None
    heard = calibrated(SPOKEN)
    assert heard.samples == len(SPOKEN)
    assert heard.facts["seconds"] == round(len(SPOKEN) / RATE, 2)
    assert heard.facts["utterances"] == heard.utterances == heard.baseline.count
    assert heard.facts["stored"] is heard.enough is (heard.utterances >= ENOUGH)
    one, other = calibrated(SPOKEN[: 4 * RATE]), calibrated(SPOKEN[3 * RATE :])
    assert heard.voiced_s == pytest.approx(one.voiced_s + other.voiced_s, rel=0.1), "of all, not of the last"
    assert one.voiced_s < heard.voiced_s


def test_after_a_window_its_utterance_is_learned_of() -> None:
    """A voice that goes on is judged in windows first; they teach nothing, and end nothing."""
    long = calibrated(np.concatenate([SILENCE, voice(6.0), SILENCE]))
    assert long.utterances == 1
    assert long.voiced_s > 3.0


def test_enough_is_three() -> None:
    three = calibrated(
        np.concatenate([SILENCE, *[np.concatenate([voice(2.0, seed=n), SILENCE]) for n in (1, 2, 3)]])
    )
    assert (three.utterances, three.enough, three.facts["stored"]) == (3, True, True)
    assert not calibrated(SPOKEN).enough
