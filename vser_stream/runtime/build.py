"""Who puts the parts together: model, rules, reasoner, deciders and pipelines of a configuration.

The daemon, ``replay``, ``classify``, ``doctor`` and training differ in where audio comes from and where
decisions go. What lies between they all have from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vser_stream import __version__
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.adapters.storage.rulebook import RuleShelf, shelf_of
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import AlarmConfig, PipelineConfig
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.scoring.enrolment import Calibration
from vser_stream.core.scoring.feature_identity import digest
from vser_stream.core.wire.documents import Versions
from vser_stream.ports import Clock, PitchTracker
from vser_stream.runtime.reasoning.escalation import Escalation, Standby
from vser_stream.runtime.reasoning.reasoners import reasoner_of

__all__ = ["Engine", "calibration_of", "features", "load_model", "model_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """What all sources of a configuration share, and what each of them is given of it."""

    config: PipelineConfig
    model: OnnxSvm
    rules: RuleShelf
    reasoner: Standby | None
    """Whom the ambiguous go to, once it is prepared; None if nobody is asked, or none is here."""

    pitch: PitchTracker

    @classmethod
    def load(cls, config: PipelineConfig, *, live: bool = False) -> Engine:
        """Load everything, so that what is wrong is an error before the first sample.

        Args:
            config: What is wanted.
            live: As in :func:`model_of`.

        Raises:
            ConfigError: Model, rules or reasoner cannot be used.
        """
        model, rules = model_of(config, live=live), shelf_of(config)
        return cls(config, model, rules, reasoner_of(config.reasoner, rules.writer), SwiftF0Tracker())

    def judge(self) -> Judge:
        """How a segment is judged, whoever spoke."""
        wanted = self.config.route.escalate_below
        return Judge(
            scorer=self.model,
            prior=self.model.prior,
            look=self.model.look,
            escalate_below=self.model.escalate_below if wanted is None else wanted,
            reasoner_expected=self.config.reasoner.is_wanted and self.reasoner is None,
            writer=self.rules.writer,
        )

    def decider(self) -> Decider:
        """For one voice, of which nothing is known yet."""
        return Decider(self.judge(), self.pitch)

    def pipeline(self, alarm: AlarmConfig, *, baby_cry: bool = False) -> Pipeline:
        """For one source.

        Args:
            alarm: When it raises an alarm.
            baby_cry: Listen for a baby's cry, too.
        """
        return Pipeline(
            self.decider(),
            WebRtcVad(),
            segment=self.config.segment,
            alarm=alarm,
            curves=self.model.curves,
            baby_cry=baby_cry,
        )

    def escalation(self, *, clock: Clock = SYSTEM_CLOCK) -> Escalation | None:
        """The queue before the reasoner; None where there is none."""
        if self.reasoner is None:
            return None
        return Escalation(self.reasoner, self.rules.writer, self.config.reasoner, clock=clock)

    def calibration(self) -> Calibration:
        """A listener that takes all it can measure for calm; may be used beside the pipelines."""
        return calibration_of(self.model, self.config)

    def versions(self) -> Versions:
        """What makes the decisions now, for the alert document."""
        book = self.rules.book
        return Versions(
            package=__version__,
            model=self.model.identity,
            rules=f"{book.name}@{book.version}+{book.digest[:12]}",
            reasoner=None if self.reasoner is None else self.reasoner.version,
        )


def features() -> str:
    """Identity of the features this build computes."""
    return digest(SwiftF0Tracker())


def load_model(folder: Path, *, second_look: bool = True, within: float | None = None) -> OnnxSvm:
    """Load a model for the features this build computes; see :meth:`OnnxSvm.load`."""
    return OnnxSvm.load(folder, features=features(), second_look=second_look, within=within)


def model_of(config: PipelineConfig, *, live: bool = False) -> OnnxSvm:
    """Load the model of a configuration.

    Args:
        config: What is wanted.
        live: An alarm waits for its second looks, so one that takes too long is broken off; else each
            takes all the time it needs, and a decision depends on the speech alone.

    Raises:
        ModelError: It cannot be used.
    """
    wanted = config.second_look
    return load_model(config.model_dir, second_look=wanted.enabled, within=wanted.within if live else None)


def calibration_of(model: OnnxSvm, config: PipelineConfig) -> Calibration:
    """A listener that takes all it can measure for calm; takes a moment."""
    return Calibration(model.prior, SwiftF0Tracker(), WebRtcVad(), segment=config.segment)
