"""Homes nobody in the training has lived in, and what the pipeline hears in them.

The model that listens in a home has not heard its resident, its visitors, its radio, or its appliances.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np

from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.adapters.models.onnx_second_look import OnnxSecondLook
from vser_stream.adapters.models.onnx_svm import OnnxScorer
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.audio.clip import clip_segment
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.extract import Extractor
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.scoring.baseline import Baseline, Prior
from vser_stream.core.scoring.second_look import Look
from vser_stream.errors import DataError
from vser_stream.training.classifier.second_look_graph import SecondLookMade
from vser_stream.training.data.corpus import Clip
from vser_stream.training.data.sound_kinds import Answer, Role
from vser_stream.training.evaluation.events.feature_memory import Memory, Recalling
from vser_stream.training.progress import tracked
from vser_stream.training.run import Run
from vser_stream.training.simulation.room import Sound
from vser_stream.training.simulation.scenes import Cast, Event, Hours, Scene, compose, compose_quiet
from vser_stream.training.simulation.surroundings import VISITOR, Surroundings
from vser_stream.values import RATE, Block, Decision

__all__ = [
    "ALONE", "MODES", "NOBODY", "Heard", "Home", "Model", "decisions_of", "furnish", "furnish_quiet",
    "listen", "listen_all",
]  # fmt: skip

MODES = ("cold", "warm 3")
"""What is known of the resident before the hour: nothing, or 3 calm clips; both learn on."""

ALONE = "cold, without the second look"
"""A further one, where a model has a second look: what that brings."""

_ENROLLED = 3
_CALM = _ENROLLED + 2
"""Calm clips a resident needs: an hour of one sentence would be no hour of speech."""

_PANIC = 3
"""Panic clips a resident needs."""

_NEVER = AlarmConfig(panic=PanicConfig(distress=1e3, fast=1.0), angry=AngryConfig(distress=1e3, fast=1.0))

_EMPTY = np.empty(0, np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A classifier that can be sent to another process."""

    graph: bytes
    """As training exports it."""

    prior: Prior
    look: SecondLookMade | None = None
    """A second look, where there is one."""

    def judge(self) -> Judge:
        """What the daemon runs."""
        look = None
        if self.look is not None:
            session = open_graph(self.look.graph, name="second look")
            look = Look(OnnxSecondLook(session), self.look.fusion, self.look.unless_calm)
        scorer = OnnxScorer(open_graph(self.graph, name="scene"))
        return Judge(scorer, self.prior, escalate_below=0.0, look=look)


NOBODY = Model(b"", Prior(*(np.zeros(0, np.float32) for _ in range(3))))
"""Where it only matters who lives there."""


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """Who lives there, what is heard there, and which model listens."""

    resident: str
    """Nobody in hours without events."""

    corpus: str
    hours: Hours
    clips: tuple[Clip, ...]
    """Of the resident."""

    around: Surroundings
    model: Model
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One home in one mode: what the pipeline decided, and the truth. It holds no audio."""

    resident: str
    corpus: str
    hours: Hours
    mode: str
    seconds: float
    """Length (s)."""

    events: tuple[Event, ...]
    sounds: tuple[Sound, ...]
    decisions: tuple[tuple[float, Decision], ...]
    """Each with the time at which it was made (s)."""


def furnish(
    clips: Sequence[Clip], model: Model, *, homes: int, seed: int, corpus: str | None = None
) -> list[Home]:
    """Return homes for residents with enough clips, corpora in turn, each resident once at most.

    Args:
        clips: Of people and sounds the model has not heard.
        model: That listens.
        homes: How many are wanted; fewer if there are not enough residents.
        seed: Of the choice.
        corpus: Only whose people live anywhere.
    """
    of_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.role is Role.VOICE:
            of_speaker[clip.speaker].append(clip)
    around = Surroundings.of(clips)
    possible = _in_turns(of_speaker, np.random.default_rng(seed))
    residents = [it for it in possible if corpus in {None, _corpus(of_speaker[it])}][:homes]
    return [
        Home(
            resident=resident,
            corpus=_corpus(of_speaker[resident]),
            hours=Hours.HOME,
            clips=tuple(of_speaker[resident]),
            around=around,
            model=model,
            seed=(seed, index),
        )
        for index, resident in enumerate(residents)
    ]


def furnish_quiet(clips: Sequence[Clip], model: Model, *, homes: int, seed: int) -> list[Home]:
    """Return as many places of each kind in which nothing happens, if people talk naturally in the clips."""
    around = Surroundings.of(clips)
    if not around.pools("", ()).get(VISITOR):
        return []
    quiet = (Hours.TALK, Hours.MEETING, Hours.RADIO)
    return [
        Home("", "", hours, (), around, model, (seed, kind, index))
        for kind, hours in enumerate(quiet)
        for index in range(homes)
    ]


def listen_all(homes: Sequence[Home], run: Run, *, minutes: float) -> list[Heard]:
    """Compose every home and let the pipeline listen to it in every mode.

    Args:
        homes: Lived in, and quiet ones.
        run: Its cache keeps the features: another model listens to the same homes sooner.
        minutes: Length of each scene.

    Raises:
        AudioError: A recording cannot be read.
        DataError: Nobody lives in any of them.
    """
    if not any(home.hours is Hours.HOME for home in homes):
        raise DataError(
            f"no speaker has {_CALM} calm and {_PANIC} panic clips; record more of at least one speaker"
        )
    folder = run.cache.beside(compose, compose_quiet, furnish, furnish_quiet, _cast, Recalling, name="scenes")
    jobs = (joblib.delayed(listen)(home, minutes=minutes, folder=folder) for home in homes)
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    return [heard for one in tracked(done, "homes", total=len(homes), progress=run.progress) for heard in one]


def listen(home: Home, *, minutes: float, folder: Path) -> list[Heard]:
    """Compose one home and let the pipeline listen to it in every mode; nobody is known in quiet hours.

    Args:
        home: Where.
        minutes: Length of the scene.
        folder: Where features are kept.
    """
    memory = Memory(folder / f"{_key(home, minutes)}.npz")
    tracker, judge = SwiftF0Tracker(), home.model.judge()
    known: dict[str, tuple[Judge, Baseline | None]] = {MODES[0]: (judge, None)}
    if home.hours is Hours.HOME:
        scene = compose(_cast(home), minutes=minutes, seed=home.seed)
        known[MODES[1]] = judge, _enrolled(scene, home.model.prior, Extractor(tracker))
        if judge.look is not None:
            known[ALONE] = replace(judge, look=None), None
    else:
        scene = compose_quiet(home.around, home.hours, minutes=minutes, seed=home.seed)
    heard = [
        _heard(home, scene, mode, Recalling(who, tracker, baseline=baseline, memory=memory))
        for mode, (who, baseline) in known.items()
    ]
    memory.keep()
    return heard


def _key(home: Home, minutes: float) -> str:
    """Changes with all a scene depends on, but for the code."""
    what = f"{home.hours} {home.resident} {home.seed} {minutes} {home.around.key}"
    return hashlib.sha256(what.encode()).hexdigest()


def decisions_of(scene: Scene, decider: Decider) -> tuple[tuple[float, Decision], ...]:
    """Everything the pipeline decides where no alarm is ever on, and when (s).

    An alarm that is on saves the pipeline windows, so what it decides depends on the thresholds.
    """
    pipeline = Pipeline(decider, WebRtcVad(), alarm=_NEVER)
    outcomes = [outcome for block in scene.blocks() for outcome in pipeline.feed(block)]
    outcomes += pipeline.flush()
    return tuple((it.now, _bare(it.what)) for it in outcomes if isinstance(it.what, Decision))


def _heard(home: Home, scene: Scene, mode: str, decider: Decider) -> Heard:
    return Heard(
        resident=home.resident,
        corpus=home.corpus,
        hours=home.hours,
        mode=mode,
        seconds=len(scene.pcm) / RATE,
        events=scene.events,
        sounds=scene.sounds,
        decisions=decisions_of(scene, decider),
    )


def _bare(decision: Decision) -> Decision:
    """All the alarm looks at, without the audio."""
    return replace(decision, segment=replace(decision.segment, pcm=_EMPTY.copy()), evidence=())


def _enrolled(scene: Scene, prior: Prior, extractor: Extractor) -> Baseline:
    """What ``vser-stream calibrate`` would have learned."""
    baseline = Baseline.from_prior(prior)
    for pcm in scene.enrolment:
        segment = clip_segment([Block(pcm=pcm, start=0, heard_at=0.0)], WebRtcVad())
        baseline = baseline.updated(extractor.extract(segment)).enrolled()
    return baseline


def _cast(home: Home) -> Cast:
    said = {answer: [clip for clip in home.clips if clip.answer is answer] for answer in Answer}
    order = np.random.default_rng(home.seed).permutation(len(said[Answer.CALM]))
    calm = [said[Answer.CALM][int(index)] for index in order]
    said[Answer.CALM] = calm[_ENROLLED:]
    return Cast(home.resident, resident=said, enrolled=calm[:_ENROLLED], around=home.around)


def _corpus(clips: Sequence[Clip]) -> str:
    """Of the calm speech; other speech of the same person may be in another."""
    return next(clip.corpus for clip in clips if clip.answer is Answer.CALM)


def _in_turns(of_speaker: dict[str, list[Clip]], rng: np.random.Generator) -> list[str]:
    """Possible residents: one of each corpus, then another of each."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in sorted(of_speaker):
        answers = [clip.answer for clip in of_speaker[name]]
        if answers.count(Answer.CALM) >= _CALM and answers.count(Answer.PANIC) >= _PANIC:
            waiting[_corpus(of_speaker[name])].append(name)
    queues = [
        [names[int(index)] for index in rng.permutation(len(names))] for _, names in sorted(waiting.items())
    ]
    return [name for turn in itertools.zip_longest(*queues) for name in turn if name]
