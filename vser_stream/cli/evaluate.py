"""``vser-stream evaluate``: how good a model, or the recipe that makes one, is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.cli.extras import needs_train
from vser_stream.cli.models import load_model
from vser_stream.cli.progress import bars

__all__ = ["evaluate"]


def evaluate(
    data: Annotated[Path, typer.Option(help="CSV with path, speaker, label; paths start from its folder.")],
    model: Annotated[
        Path | None, typer.Option(help="Model folder. Without it the recipe is cross-validated by speaker.")
    ] = None,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="With a model: also through noise, rooms and codecs.")
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
