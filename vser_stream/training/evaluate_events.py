"""Events told and false alarms an hour, of a recipe or of a trained model, on composed hours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vser_stream.adapters.svm import OnnxSvm
from vser_stream.config import AlarmConfig
from vser_stream.core.alarm_curve import Curves, as_asked
from vser_stream.training.cache import FeatureCache
from vser_stream.training.corpus import Clip, read_manifest
from vser_stream.training.event_figures import ALARMS, EventEvaluation, Point, figures_of
from vser_stream.training.export import to_graph
from vser_stream.training.fit import fit, speaker_folds
from vser_stream.training.homes import Home, Model, furnish, listen_all
from vser_stream.training.metrics import Interval
from vser_stream.training.progress import Progress, silent, tracked
from vser_stream.training.recipe import Recipe
from vser_stream.training.tables import Material, material_of

__all__ = ["evaluate_scenes", "events_figure", "events_table"]

_FOLDS = 3

_MATERIAL = 0
"""Seed of what is learned from: computed once, whatever homes it is tried in."""


def evaluate_scenes(
    data: Path,
    *,
    model: Path | None = None,
    homes: int = 12,
    minutes: float = 60.0,
    recipe: Recipe | None = None,
    alarm: AlarmConfig | None = None,
    seed: int = 0,
    cache: FeatureCache | None = None,
    processes: int = 2,
    progress: Progress = silent,
) -> EventEvaluation:
    """Compose homes, let the pipeline listen, and count.

    Args:
        data: The manifest, or the folder that holds it.
        model: A model folder, which must not have heard the speakers. Without it the recipe is
            trained once for each of three folds of speakers, and each model listens to the others.
        homes: Wanted; fewer if not so many speakers have enough clips.
        minutes: Length of each scene.
        recipe: How models are made, and what is left out of the data.
        alarm: Configuration of the alarm; default: as the daemon has it with that model.
        seed: Of the folds, the models, the homes and the scenes.
        cache: Of features.
        processes: Worked on at once.
        progress: Told of each step.

    Raises:
        DataError: The manifest is incomplete, or has too few speakers.
        AudioError: A recording cannot be read.
        ModelError: The model cannot be loaded.
    """
    recipe, cache = recipe or Recipe(), cache or FeatureCache(processes=processes)
    models: list[tuple[Model, Sequence[Clip]]]
    curves: Curves = {}
    if model is None:
        clips = read_manifest(data, exclude=(*recipe.exclude, *recipe.calm_only))
        models = _unheard(clips, recipe, cache, seed=seed, processes=processes, progress=progress)
        subject = f"recipe, {len(models)} folds by speaker"
    else:
        loaded = OnnxSvm.load(model, features=cache.features)
        models = [(Model((model / "svm.onnx").read_bytes(), loaded.prior), read_manifest(data))]
        subject, curves = f"{loaded.name} {loaded.version}", loaded.curves
    heard = listen_all(
        _homes(models, homes, seed=seed), minutes=minutes, processes=processes, progress=progress
    )
    alarm = as_asked(alarm or AlarmConfig(), curves)
    return figures_of(heard, alarm, subject=subject, progress=progress)


def events_table(evaluation: EventEvaluation) -> str:
    """The figures and the curves as lines of text."""
    lines = [f"{evaluation.subject}: {evaluation.homes} homes, {evaluation.hours:.1f} h of audio"]
    for mode, detections in evaluation.detections.items():
        for level, it in detections.items():
            causes = ", ".join(f"{what} {count}" for what, count in it.causes.items())
            lines += [
                "",
                f"{level}, {mode}: {it.events} events",
                f"  recall              {_told(it.recall)}, by any alarm {_told(it.any_recall)}",
                f"  false alarms an hour {_told(it.false_per_hour)}; by {causes or 'nothing'}",
                f"  time to alert (s)   median {_told(it.median_s)}, 90 % {_told(it.slow_s)}",
                f"  told as panic {it.as_panic}, masked by a false alarm {it.masked}",
                *map(_line, evaluation.curves[mode][level]),
            ]
    return "\n".join(lines)


def events_figure(evaluation: EventEvaluation) -> Figure:
    """Recall against false alarms, the configured point in black, and the times to alert."""
    figure = Figure(figsize=(13, 7), layout="constrained")
    for level, (recall, times) in zip(ALARMS, figure.subplots(2, 2), strict=True):
        for mode, curves in evaluation.curves.items():
            _plot_curve(recall, curves[level], label=mode)
            times.hist(evaluation.delays[mode][level], bins=20, histtype="step", label=mode)
        recall.set(title=f"{level}: events told", xlabel="false alarms an hour", ylabel="recall")
        recall.set(ylim=(0, 1.02))
        recall.set_xscale("symlog", linthresh=0.5)
        recall.set_xlim(left=0)
        times.set(title=f"{level}: time to alert", xlabel="s from the first word", ylabel="events")
        recall.legend()
    return figure


def _plot_curve(axes: Axes, points: Sequence[Point], *, label: str) -> None:
    both = [
        (it.false_per_hour.value, it.recall.value, it.factor)
        for it in points
        if it.false_per_hour and it.recall
    ]
    axes.plot([false for false, _, _ in both], [recall for _, recall, _ in both], ".-", label=label)
    for false, recall, factor in both:
        if factor == 1.0:
            axes.plot(false, recall, "ko")


def _told(figure: Interval | None) -> str:
    return str(figure or "-")


def _line(point: Point) -> str:
    median = "-" if point.median_s is None else f"{point.median_s:.1f}"
    return (
        f"    x {point.factor:<6.3g} distress {point.distress:<6.3g} fast {point.fast:.3f}"
        f"  recall {_told(point.recall)}  false/h {_told(point.false_per_hour)}  {median} s"
    )


def _unheard(
    clips: Sequence[Clip],
    recipe: Recipe,
    cache: FeatureCache,
    *,
    seed: int,
    processes: int,
    progress: Progress,
) -> list[tuple[Model, Sequence[Clip]]]:
    """A model for each fold, and the clips of the speakers it has not heard."""
    material = material_of(clips, cache, recipe, seed=_MATERIAL, processes=processes, progress=progress)
    folds = speaker_folds(material.clean, _FOLDS, seed=seed)
    jobs = (joblib.delayed(_learn)(material.where(known), recipe, seed) for known, _ in folds)
    done = joblib.Parallel(n_jobs=processes, return_as="generator")(jobs)
    models = tracked(done, "models", total=_FOLDS, progress=progress)
    return [
        (model, [clips[index] for index in unheard])
        for model, (_, unheard) in zip(models, folds, strict=True)
    ]


def _learn(material: Material, recipe: Recipe, seed: int) -> Model:
    fitted = fit(material, recipe, seed=seed)
    return Model(to_graph(fitted), fitted.prior)


def _homes(models: Sequence[tuple[Model, Sequence[Clip]]], homes: int, *, seed: int) -> list[Home]:
    """As even a share for each model as there can be."""
    shares = [len(part) for part in np.array_split(np.arange(homes), len(models))]
    return [
        home
        for index, ((model, clips), share) in enumerate(zip(models, shares, strict=True))
        for home in furnish(clips, model, homes=share, seed=seed + index)
    ]
