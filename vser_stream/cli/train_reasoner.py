"""``vser-stream train-reasoner``: the bundled reasoner from a corpus."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vser_stream.adapters.storage import rulebook
from vser_stream.cli._extras import needs_train
from vser_stream.cli._progress import running
from vser_stream.config.locations import shipped_rules

__all__ = ["train_reasoner"]


def train_reasoner(  # noqa: PLR0913 - an option is a parameter
    data: Annotated[
        list[Path],
        typer.Option(help="CSV with path, speaker, label; paths are relative to its folder. Repeatable."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model, such as models/reasoner-mine.")],
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Processor time for training, on one core.")
    ] = 30.0,
    rules: Annotated[
        Path | None, typer.Option(help="Human rules to train with; default: the shipped ones.")
    ] = None,
    no_rationales: Annotated[
        bool, typer.Option("--no-rationales", help="Without rationales (an ablation).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for computed features.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Teach the small language model that explains ambiguous decisions, and export it for llama.cpp.

    A model that is already in the folder stays until the new one is whole and answers as it should.
    """
    with needs_train():
        from vser_stream.training.reasoner.cases import evidence_of_corpus  # noqa: PLC0415 - extra [train]
        from vser_stream.training.release import train_reasoner as training  # noqa: PLC0415 - extra [train]
    book = rulebook.load(rules or shipped_rules())
    training.check_reasoner_folder(out)
    with running(seed=seed, cache=cache, processes=processes) as run:
        made = training.train_reasoner(
            evidence_of_corpus(data, book, run),
            out,
            run,
            book=book,
            minutes=minutes,
            rationales=not no_rationales,
        )
    if as_json:
        print(json.dumps({**asdict(made), "folder": str(out)}))
        return
    print(
        f"{out}: version {made.version}, {made.parameters / 1e6:.2f} M parameters, {made.size / 1e6:.1f} MB"
    )
    print(f"{made.examples} examples in {made.took:.0f} s; agreement with the teacher {made.agreement:.1%}")
    for name, one in made.free.items():
        print(f"free rationales, {name}: {one.faithful:.3f} of the claims true, {one.passed:.1%} wholly")
    print(f"llama.cpp against torch: {made.parity.worst:.1e}; Q8_0 {made.quantized.worst:.1e}")
