"""``vser-stream evaluate``: how good a model, or the recipe that makes one, is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.cli.extras import needs_train
from vser_stream.cli.models import load_model
from vser_stream.cli.progress import bars
from vser_stream.errors import UserError

__all__ = ["evaluate"]


def evaluate(
    data: Annotated[Path, typer.Option(help="CSV with path, speaker, label; paths start from its folder.")],
    model: Annotated[
        Path | None, typer.Option(help="Model folder. Without it the recipe is cross-validated by speaker.")
    ] = None,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="With a model: also through noise, rooms and codecs.")
    ] = False,
    scenes: Annotated[
        bool, typer.Option("--scenes", help="Count events told and false alarms in composed hours instead.")
    ] = False,
    homes: Annotated[int, typer.Option(min=1, help="With --scenes: homes, at most one for a speaker.")] = 12,
    minutes: Annotated[float, typer.Option(min=1, help="With --scenes: length of each.")] = 60.0,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Leave out each group of features in turn instead.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Follow the calm baseline over time instead.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there, and JSON beside it.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for computed features.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Measure on labelled recordings: cold, running and warm, pooled and by corpus.

    A model's figures only mean something on speakers it was not trained on.
    """
    if scenes:
        _evaluate_scenes(
            data, model, homes=homes, minutes=minutes, report=report, as_json=as_json,
            seed=seed, cache=cache, processes=processes,
        )  # fmt: skip
        return
    if ablation or baselines:
        if model or report or (ablation and baselines):
            raise UserError("--ablation and --baselines go alone, without --model and --report")
        study = _ablation if ablation else _baselines
        study(data, seed=seed, cache=cache, processes=processes, as_json=as_json)
        return
    with needs_train():
        from vser_stream.training import evaluate as figures  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.report import write_report  # noqa: PLC0415 - extra [train]
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        if model is None:
            evaluation = figures.evaluate_recipe(
                data, seed=seed, cache=features, processes=processes, progress=progress
            )
        else:
            evaluation = figures.evaluate_model(
                data,
                model=load_model(model),
                conditions=conditions,
                seed=seed,
                cache=features,
                processes=processes,
                progress=progress,
            )
    if report:
        write_report(evaluation, report)
    print(json.dumps(evaluation.to_dict()) if as_json else figures.text_table(evaluation))


def _evaluate_scenes(
    data: Path,
    model: Path | None,
    *,
    homes: int,
    minutes: float,
    report: Path | None,
    as_json: bool,
    seed: int,
    cache: Path | None,
    processes: int,
) -> None:
    with needs_train():
        from vser_stream.training import evaluate_events as events  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.report import write_events_report  # noqa: PLC0415 - extra [train]
    with bars() as progress:
        evaluation = events.evaluate_scenes(
            data,
            model=model,
            homes=homes,
            minutes=minutes,
            seed=seed,
            cache=FeatureCache(cache, processes=processes),
            processes=processes,
            progress=progress,
        )
    if report:
        write_events_report(evaluation, report)
    print(json.dumps(evaluation.to_dict()) if as_json else events.events_table(evaluation))


def _ablation(data: Path, *, seed: int, cache: Path | None, processes: int, as_json: bool) -> None:
    with needs_train():
        from vser_stream.training.ablation import (  # noqa: PLC0415 - extra [train]
            ablation_table,
            evaluate_ablation,
        )
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        found = evaluate_ablation(data, seed=seed, cache=features, processes=processes, progress=progress)
    print(json.dumps(found.to_dict()) if as_json else ablation_table(found))


def _baselines(data: Path, *, seed: int, cache: Path | None, processes: int, as_json: bool) -> None:
    with needs_train():
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.listening import (  # noqa: PLC0415 - extra [train]
            evaluate_listening,
            listening_table,
        )
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        found = evaluate_listening(data, seed=seed, cache=features, processes=processes, progress=progress)
    print(json.dumps(found.to_dict()) if as_json else listening_table(found))
