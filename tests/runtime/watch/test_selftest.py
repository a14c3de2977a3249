from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.functionals import FEATURES
from vser_stream.core.scoring.baseline import Prior
from vser_stream.errors import ModelError
from vser_stream.runtime.watch.selftest import rehearse
from vser_stream.values import Decision, Pcm, Probabilities, Rows, Segment, Vector

ONES = np.ones(len(FEATURES), np.float32)
PITCH = SwiftF0Tracker()
CALM = Probabilities(calm=0.9, angry=0.06, panic=0.04)


class Believing:
    """A model that believes the same of every voice, and knows what it was asked."""

    def __init__(self, belief: Probabilities) -> None:
        self.belief, self.asked = belief, list[Rows]()

    def score(self, rows: Rows) -> Probabilities:
        self.asked.append(rows)
        return self.belief


class HearsSpeechInSilence:
    def is_speech(self, pcm: Pcm) -> bool:
        assert not pcm.any()
        return True


class Speechless(Decider):
    """Finds nothing to tell of a voice."""

    def decide(self, segment: Segment, vector: Vector) -> Decision:
        return replace(super().decide(segment, vector), evidence=())


def decider(belief: Probabilities, kind: type[Decider] = Decider) -> Decider:
    return kind(Judge(Believing(belief), Prior(ONES, ONES, ONES), escalate_below=0.5), PITCH)


def test_one_utterance_goes_through_all_that_a_decision_needs() -> None:
    model = Believing(CALM)
    found = rehearse(Decider(Judge(model, Prior(ONES, ONES, ONES), escalate_below=0.5), PITCH), WebRtcVad())
    assert found.probabilities == CALM
    assert found.evidence
    assert np.isfinite(model.asked[0]).all()


@pytest.mark.parametrize(
    "belief",
    [
        Probabilities(math.nan, 0.5, 0.5),
        Probabilities(0.5, 0.4, 0.0),
        Probabilities(0.9, 0.9, 0.1),
        Probabilities(math.inf, 0.0, 0.0),
        Probabilities(0.0, 0.0, 0.0),
    ],
)
def test_a_model_whose_beliefs_make_no_whole_is_not_relied_on(belief: Probabilities) -> None:
    with pytest.raises(ModelError, match="self-test failed"):
        rehearse(decider(belief), WebRtcVad())


def test_a_detector_that_hears_speech_in_silence_is_not_relied_on() -> None:
    with pytest.raises(ModelError, match="self-test failed"):
        rehearse(decider(CALM), HearsSpeechInSilence())


def test_a_decision_without_reasons_is_none() -> None:
    with pytest.raises(ModelError, match="self-test failed"):
        rehearse(decider(CALM, Speechless), WebRtcVad())
