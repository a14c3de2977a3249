"""Events told and false alarms an hour, of a recipe or of a trained model, on composed hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vser_stream.adapters.models.onnx_second_look import FILE as SECOND_LOOK
from vser_stream.adapters.models.onnx_svm import OnnxSvm
from vser_stream.config.schema import AlarmConfig
from vser_stream.core.alarm.threshold_curve import Curves, as_asked
from vser_stream.core.scoring.second_look import Look
from vser_stream.training.classifier.export import to_graph
from vser_stream.training.classifier.learn import learn
from vser_stream.training.classifier.material import Material, material_of
from vser_stream.training.classifier.second_look_graph import Encoder, SecondLookMade
from vser_stream.training.data.corpus import Clip, Data, read_corpora, sides_of
from vser_stream.training.data.sound_kinds import OUTSIDE, Answer
from vser_stream.training.evaluation.events.event_metrics import (
    EVENTS,
    Detection,
    EventEvaluation,
    FalseAlarms,
    OfCorpus,
    Point,
    figures_of,
)
from vser_stream.training.evaluation.events.homes import (
    NOBODY,
    Home,
    Model,
    furnish,
    furnish_quiet,
    listen_all,
)
from vser_stream.training.evaluation.metrics import Interval
from vser_stream.training.progress import tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.run import Run
from vser_stream.training.simulation.in_home_clips import SIDES
from vser_stream.values import Label

__all__ = ["Composed", "evaluate_scenes", "events_figure", "events_table"]

_FOLDS = 3

_QUIET = 4
"""Homes for each place in which nothing happens."""

_MATERIAL = 0
"""Seed of what is learned from: computed once, whatever homes it is tried in."""


@dataclass(frozen=True, slots=True)
class Composed:
    """What is composed."""

    homes: int = 32
    """Wanted; fewer if not so many speakers have enough clips. Beside them, a quarter as many of each kind of
    hours in which nothing happens."""

    minutes: float = 15.0
    """Length of each scene (min)."""


def evaluate_scenes(
    data: Data,
    run: Run,
    *,
    model: Path | None = None,
    left_out: bool = False,
    composed: Composed | None = None,
    encoder: Encoder | None = None,
) -> EventEvaluation:
    """Compose homes, let the pipeline listen, and count.

    Args:
        data: The manifests: people who speak, and sounds.
        run: How models are made, and what is left out of the data; its seed is also that of the homes.
        model: A model folder, which must have heard none of them. Without it the recipe is trained once
            for each of three folds of people and sounds, and each model listens to the others.
        left_out: Leave whole corpora out in turn, instead of people: who lives there speaks as nobody whom
            the model has heard.
        composed: Homes and their hours.
        encoder: Of second looks that are trained, too; None for the machines alone.

    Raises:
        DataError: A manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
        ModelError: The model cannot be loaded.
    """
    composed = composed or Composed()
    curves: Curves = {}
    if model is None:
        clips = read_corpora(data, exclude=run.recipe.exclude)
        splits = _by_corpus(clips) if left_out else _by_people(clips)
        models = _learned(clips, splits, run, encoder=encoder)
        subject = f"recipe, {len(splits)} {'corpora left out' if left_out else 'folds of people and sounds'}"
    else:
        loaded = OnnxSvm.load(model, features=run.cache.features)
        models = [Model((model / "svm.onnx").read_bytes(), loaded.prior, _look_of(loaded.look, model))]
        splits = [_Split(np.empty(0, np.int64), read_corpora(data))]
        subject, curves = f"{loaded.name} {loaded.version}", loaded.curves
    heard = listen_all(_homes(models, splits, composed.homes, seed=run.seed), run, minutes=composed.minutes)
    return figures_of(heard, as_asked(AlarmConfig(), curves), subject=subject, progress=run.progress)


def events_table(evaluation: EventEvaluation) -> str:
    """The figures and the curves as lines of text."""
    lines = [f"{evaluation.subject}: {evaluation.homes} homes, {evaluation.hours:.1f} h of audio"]
    for mode, detections in evaluation.detections.items():
        lines += ["", f"{mode}:", *(_detected(kind, it) for kind, it in detections.items())]
        lines += [_falsely(f"false {level}", it) for level, it in evaluation.false_alarms[mode].items()]
        lines += map(_line, evaluation.curves[mode][Label.PANIC])
    lines += ["", *(_corpus_line(name, it) for name, it in evaluation.corpora.items())]
    for hours, levels in evaluation.quiet.items():
        lines += ["", f"{hours} alone, {levels['any'].hours:.1f} h:"]
        lines += [_falsely(f"false {level}", it) for level, it in levels.items()]
    return "\n".join(lines)


def events_figure(evaluation: EventEvaluation) -> Figure:
    """Recall against false alarms of the level, the configured point in black, and the times to alert."""
    figure = Figure(figsize=(13, 10), layout="constrained")
    for kind, (recall, times) in zip(EVENTS, figure.subplots(len(EVENTS), 2), strict=True):
        level = OUTSIDE[kind]
        for mode, curves in evaluation.curves.items():
            told = [(it, it.screams if kind is Answer.SCREAM else it.recall) for it in curves[level]]
            _plot_curve(recall, told, label=mode)
            times.hist(evaluation.delays[mode][kind], bins=20, histtype="step", label=mode)
        recall.set(title=f"{kind}: events told", xlabel=f"false {level} alarms an hour", ylabel="recall")
        recall.set(ylim=(0, 1.02))
        recall.set_xscale("symlog", linthresh=0.5)
        recall.set_xlim(left=0)
        times.set(title=f"{kind}: time to alert", xlabel="s from the first word", ylabel="events")
        recall.legend()
    return figure


def _plot_curve(axes: Axes, told: Sequence[tuple[Point, Interval | None]], *, label: str) -> None:
    known = [
        (point.false_per_hour.value, recall.value, point.factor)
        for point, recall in told
        if point.false_per_hour and recall
    ]
    axes.plot([false for false, _, _ in known], [recall for _, recall, _ in known], ".-", label=label)
    for false, recall, factor in known:
        if factor == 1.0:
            axes.plot(false, recall, "ko")


def _told(figure: Interval | None) -> str:
    return str(figure or "-")


def _detected(kind: str, it: Detection) -> str:
    return (
        f"  {kind:<7} {it.events:>4} events, told {_told(it.recall)}, by any alarm {_told(it.any_recall)},"
        f" after {_told(it.median_s)} s, 90 % {_told(it.slow_s)} s; as panic {it.as_panic},"
        f" masked {it.masked}"
    )


def _falsely(name: str, it: FalseAlarms) -> str:
    causes = ", ".join(f"{what} {count}" for what, count in it.causes.items())
    return f"  {name:<11} {_told(it.per_hour)} an hour; by {causes or 'nothing'}"


def _corpus_line(name: str, it: OfCorpus) -> str:
    return (
        f"  {name:<14} {it.homes:>3} homes: panic {_told(it.recall)}  scream {_told(it.screams)}"
        f"  false panic/h {_told(it.false_per_hour)}"
    )


def _line(point: Point) -> str:
    median = "-" if point.median_s is None else f"{point.median_s:.1f}"
    return (
        f"    x {point.factor:<6.3g} panic {_told(point.recall)}  scream {_told(point.screams)}"
        f"  false panic/h {_told(point.false_per_hour)}  any/h {_told(point.any_per_hour)}  {median} s"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """What a model learns from, and what it has not heard."""

    known: NDArray[np.int64]
    """Of the calm, angry and frightened clips."""

    unheard: tuple[Clip, ...]
    corpus: str | None = None
    """Whose people alone live in the homes; None for anybody's."""


def _by_people(clips: Sequence[Clip]) -> list[_Split]:
    """Three folds, each of some of the sides."""
    sides = sides_of(clips, SIDES)
    mine = np.array([sides[clip.person] for clip in clips if clip.spoken])
    folds = [part.tolist() for part in np.array_split(np.arange(SIDES), _FOLDS)]
    return [
        _Split(
            np.flatnonzero(~np.isin(mine, fold)),
            tuple(clip for clip in clips if sides[clip.person] in fold),
        )
        for fold in folds
    ]


def _by_corpus(clips: Sequence[Clip]) -> list[_Split]:
    """One for each corpus whose people can live somewhere: all its people, and the sounds of the last side.

    Wordless screams of the corpus may be learned from on the other sides.
    """
    sides, last = sides_of(clips, SIDES), SIDES - 1
    spoken = [clip for clip in clips if clip.spoken]
    corpora, mine = (
        np.array(it) for it in zip(*((it.corpus, sides[it.person]) for it in spoken), strict=True)
    )
    splits = []
    for corpus in sorted({home.corpus for home in furnish(clips, NOBODY, homes=len(clips), seed=0)}):
        people = {clip.person for clip in spoken if clip.corpus == corpus}
        theirs = [clip for clip in clips if clip.person in people or sides[clip.person] == last]
        known = np.flatnonzero((corpora != corpus) & (mine != last))
        splits.append(_Split(known, tuple(theirs), corpus))
    return splits


def _learned(
    clips: Sequence[Clip],
    splits: Sequence[_Split],
    run: Run,
    *,
    encoder: Encoder | None,
) -> list[Model]:
    """A model for each split."""
    material = material_of(clips, replace(run, seed=_MATERIAL), encoder=encoder)
    jobs = (
        joblib.delayed(_learn)(material.where(split.known), run.recipe, encoder, run.seed) for split in splits
    )
    done = joblib.Parallel(n_jobs=run.processes, return_as="generator")(jobs)
    return list(tracked(done, "models", total=len(splits), progress=run.progress))


def _learn(material: Material, recipe: Recipe, encoder: Encoder | None, seed: int) -> Model:
    judges = learn(material, recipe, seed=seed)
    return Model(to_graph(judges.fitted), judges.prior, judges.second_look(encoder))


def _look_of(look: Look | None, folder: Path) -> SecondLookMade | None:
    if look is None:
        return None
    return SecondLookMade((folder / SECOND_LOOK).read_bytes(), look.fusion, look.unless_calm)


def _homes(models: Sequence[Model], splits: Sequence[_Split], homes: int, *, seed: int) -> list[Home]:
    """As even a share for each model as there can be."""
    shares = [len(part) for part in np.array_split(np.arange(homes), len(models))]
    return [
        home
        for index, (model, split, share) in enumerate(zip(models, splits, shares, strict=True))
        for home in (
            *furnish(split.unheard, model, homes=share, seed=seed + index, corpus=split.corpus),
            *furnish_quiet(split.unheard, model, homes=-(-share // _QUIET), seed=seed + index),
        )
    ]
