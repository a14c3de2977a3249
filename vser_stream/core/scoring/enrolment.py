"""A calm baseline from speech that somebody says is calm."""

from __future__ import annotations

from collections import Counter

from vser_stream.config.schema import SegmentConfig
from vser_stream.core.audio.framing import Framer
from vser_stream.core.audio.quality import quality_of
from vser_stream.core.audio.segment import Segmenter
from vser_stream.core.audio.voice_gate import no_voice, voiced_s
from vser_stream.core.features.extract import Extractor
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.ports import PitchTracker, SpeechDetector
from vser_stream.values import RATE, Block, Cut, Label, Segment, SegmentKind

__all__ = ["ENOUGH", "Calibration"]

ENOUGH = 3
"""Calm utterances that must be heard: with three the aims of enrolment are measured."""


class Calibration:
    """Hears a source as the live agent does, and takes every utterance it can measure for calm.

    Starts from the population: what was learned before may be what is wrong.
    """

    def __init__(
        self,
        prior: Prior,
        pitch_tracker: PitchTracker,
        detector: SpeechDetector,
        *,
        segment: SegmentConfig | None = None,
    ) -> None:
        self.baseline = Baseline.from_prior(prior)
        self.voiced_s = 0.0
        """Voiced time in the utterances that were taken (s)."""

        self.samples = 0
        """Length of all that was heard (samples)."""

        self.refused: Counter[str] = Counter()
        """Why other utterances were not taken, and how many."""

        self._extractor = Extractor(pitch_tracker)
        self._detector = detector
        self._framer = Framer()
        self._segmenter = Segmenter(segment)

    @property
    def utterances(self) -> int:
        """Taken so far."""
        return int(self.baseline.count)

    @property
    def enough(self) -> bool:
        """Whether the baseline may be kept."""
        return self.utterances >= ENOUGH

    @property
    def facts(self) -> dict[str, object]:
        """What was heard so far, for people."""
        return {
            "stored": self.enough,
            "utterances": self.utterances,
            "voice_s": round(self.voiced_s, 2),
            "seconds": round(self.samples / RATE, 2),
            "refused": dict(self.refused),
        }

    @property
    def level_db(self) -> float | None:
        """Level of the last frame (dB re full scale)."""
        return self._segmenter.level_db

    def feed(self, block: Block) -> None:
        """Take the next block, in order."""
        self.samples += len(block.pcm)
        for frame in self._framer.feed(block):
            is_speech = self._detector.is_speech(frame.pcm)
            self._learn(self._segmenter.feed(frame, is_speech=is_speech))

    def flush(self) -> None:
        """Close the open utterance: listening is over."""
        self._learn(self._segmenter.flush(Cut.END))

    def _learn(self, segments: list[Segment]) -> None:
        for segment in segments:
            if segment.kind is not SegmentKind.UTTERANCE:
                continue
            quality = quality_of(segment)
            vector = self._extractor.extract(segment)
            if quality.too_noisy:
                self.refused["too noisy"] += 1
            elif quality.cannot_be(Label.CALM):
                self.refused["overdriven"] += 1
            elif no_voice(vector):
                self.refused["no voice"] += 1
            else:
                self.baseline = self.baseline.updated(vector).enrolled()
                self.voiced_s += voiced_s(vector)
