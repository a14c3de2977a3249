"""Homes nobody in the training has lived in, and what the pipeline hears in them.

The model that listens in a home has not heard its resident, its visitors, or its television.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np

from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.svm import OnnxSvm, open_graph
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.adapters.wavfile import Recording
from vser_stream.config import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.baseline import Baseline, Prior
from vser_stream.core.clip import clip_segment
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.extract import Extractor
from vser_stream.core.pipeline import Pipeline
from vser_stream.errors import DataError
from vser_stream.training.corpus import Clip
from vser_stream.training.household import Wave
from vser_stream.training.progress import Progress, silent, tracked
from vser_stream.training.room import Sound
from vser_stream.training.scenes import Cast, Event, Scene, compose, trimmed
from vser_stream.values import LABELS, RATE, Block, Decision, Label, Pcm

__all__ = ["MODES", "Heard", "Home", "Model", "decisions_of", "furnish", "listen", "listen_all"]

MODES = ("cold", "warm 3")
"""What is known of the resident before the hour: nothing, or 3 calm clips; both learn on."""

_ENROLLED = 3
_CALM = _ENROLLED + 4
"""Calm clips a resident needs: an hour of one sentence would be no hour of speech."""

_PANIC = 4
"""Panic clips a resident needs: one event has up to four."""

_OTHERS, _THEIR_CLIPS = 6, 8
"""Other people in a home, and how many of their clips are heard, at most."""

_NEVER = AlarmConfig(panic=PanicConfig(distress=1e3, fast=1.0), angry=AngryConfig(distress=1e3, fast=1.0))

_EMPTY = np.empty(0, np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A classifier that can be sent to another process."""

    graph: bytes
    """As training exports it."""

    prior: Prior

    def scorer(self) -> OnnxSvm:
        """What the daemon runs."""
        return OnnxSvm(
            name="scene",
            version="",
            sha256="",
            prior=self.prior,
            escalate_below=0.0,
            thresholds={},
            manifest={},
            session=open_graph(self.graph, name="scene"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Home:
    """Who lives there, who else is heard, and which model listens."""

    resident: str
    corpus: str
    clips: tuple[Clip, ...]
    """Of the resident, every label."""

    others: tuple[tuple[Clip, ...], ...]
    """Calm clips of each of the others."""

    model: Model
    seed: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One home in one mode: what the pipeline decided, and the truth. It holds no audio."""

    resident: str
    corpus: str
    mode: str
    seconds: float
    events: tuple[Event, ...]
    sounds: tuple[Sound, ...]
    decisions: tuple[tuple[float, Decision], ...]
    """Each with the time at which it was made (s)."""


def furnish(clips: Sequence[Clip], model: Model, *, homes: int, seed: int) -> list[Home]:
    """Return homes for residents with enough clips, corpora in turn, each resident once at most.

    Args:
        clips: Of speakers the model has not heard.
        model: That listens.
        homes: How many are wanted; fewer if there are not enough residents.
        seed: Of the choice.
    """
    rng = np.random.default_rng(seed)
    of_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        of_speaker[clip.speaker].append(clip)
    calm = {name: [clip for clip in said if clip.label is Label.CALM] for name, said in of_speaker.items()}
    made: list[Home] = []
    for resident in _in_turns(of_speaker, rng)[:homes]:
        others = [name for name in calm if name != resident and calm[name]]
        chosen = rng.permutation(len(others))[:_OTHERS]
        made.append(
            Home(
                resident=resident,
                corpus=of_speaker[resident][0].corpus,
                clips=tuple(of_speaker[resident]),
                others=tuple(tuple(calm[others[index]][:_THEIR_CLIPS]) for index in chosen),
                model=model,
                seed=(seed, len(made)),
            )
        )
    return made


def listen_all(
    homes: Sequence[Home], *, minutes: float, processes: int = 2, progress: Progress = silent
) -> list[Heard]:
    """Compose every home and let the pipeline listen to it in every mode.

    Raises:
        AudioError: A recording cannot be read.
        DataError: There is no home to listen to.
    """
    if not homes:
        raise DataError(
            f"no speaker has {_CALM} calm and {_PANIC} panic clips; record more of at least one speaker"
        )
    jobs = (joblib.delayed(listen)(home, minutes=minutes) for home in homes)
    done = joblib.Parallel(n_jobs=processes, return_as="generator")(jobs)
    return [heard for one in tracked(done, "homes", total=len(homes), progress=progress) for heard in one]


def listen(home: Home, *, minutes: float) -> list[Heard]:
    """Compose one home and let the pipeline listen to it in every mode."""
    scene = compose(_cast(home), minutes=minutes, seed=home.seed)
    tracker, judge = SwiftF0Tracker(), Judge(home.model.scorer(), home.model.prior, escalate_below=0.0)
    baselines = {"cold": None, "warm 3": _enrolled(scene, home.model.prior, Extractor(tracker))}
    return [_heard(home, scene, mode, Decider(judge, tracker, baseline=baselines[mode])) for mode in MODES]


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
    rng = np.random.default_rng(home.seed)
    said = {label: [clip for clip in home.clips if clip.label is label] for label in LABELS}
    calm = [said[Label.CALM][int(index)] for index in rng.permutation(len(said[Label.CALM]))]
    said[Label.CALM] = calm[_ENROLLED:]
    return Cast(
        resident={label: _waves(clips) for label, clips in said.items() if clips},
        enrolled=_waves(calm[:_ENROLLED]),
        others=[_waves(clips) for clips in home.others],
    )


def _waves(clips: Sequence[Clip]) -> list[Wave]:
    return [trimmed(_pcm(clip.path)) for clip in clips]


def _pcm(path: Path) -> Pcm:
    return np.concatenate([block.pcm for block in Recording(path).blocks(lambda: False)])


def _in_turns(of_speaker: dict[str, list[Clip]], rng: np.random.Generator) -> list[str]:
    """Possible residents: one of each corpus, then another of each."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in sorted(of_speaker):
        labels = [clip.label for clip in of_speaker[name]]
        if labels.count(Label.CALM) >= _CALM and labels.count(Label.PANIC) >= _PANIC:
            waiting[of_speaker[name][0].corpus].append(name)
    queues = [
        [names[int(index)] for index in rng.permutation(len(names))] for _, names in sorted(waiting.items())
    ]
    return [name for turn in itertools.zip_longest(*queues) for name in turn if name]
