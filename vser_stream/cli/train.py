"""``vser-stream train``: a model from a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.cli._extras import needs_train
from vser_stream.cli._progress import running
from vser_stream.errors import UserError

__all__ = ["train"]


def train(  # noqa: PLR0913 - an option is a parameter
    data: Annotated[
        list[Path],
        typer.Option(help="CSV with path, speaker, label; paths are relative to its folder. Repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model, such as models/mine.")],
    conditions: Annotated[
        bool, typer.Option("--conditions", help="Also evaluate with noise, reverberation and codecs.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Skip leave-one-corpus-out and nested cross-validation: saves hours."),
    ] = False,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="What the second look is cut from: smart-turn-v3.2-cpu.onnx, or the wheel of pipecat-ai "
            "1.14.0 that holds it. Else pip fetches that wheel from its index."
        ),
    ] = None,
    no_second_look: Annotated[
        bool, typer.Option("--no-second-look", help="Train without the second look; nothing is downloaded.")
    ] = False,
    study: Annotated[
        list[Path] | None, typer.Option(help="Text of further figures for the model card; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for computed features.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Train, judge by speaker-grouped cross-validation, and export a model.

    A model that is already in the folder stays until the new one is whole and answers as it should.
    """
    if encoder and no_second_look:
        raise UserError("--encoder and --no-second-look exclude each other; give one of them")
    with needs_train():
        from vser_stream.training.evaluation.clips import results as figures  # noqa: PLC0415 - extra [train]
        from vser_stream.training.release import train_classifier as training  # noqa: PLC0415 - extra [train]
    with running(seed=seed, cache=cache, processes=processes) as run:
        trained = training.train(
            data,
            out,
            run,
            card=training.CardOptions(conditions, thorough=not quick, studies=study or ()),
            second_look=not no_second_look,
            encoder_file=encoder,
        )
    if as_json:
        facts = {"folder": str(out), "version": trained.version, "seconds": round(trained.took, 1)}
        print(json.dumps({**facts, **trained.evaluation.to_dict()}))
        return
    print(figures.text_table(trained.evaluation))
    print(f"\n{out}: version {trained.version}, {trained.size / 1e6:.1f} MB, made in {trained.took:.0f} s")
