"""``vser-stream evaluate``: how good a model, or the recipe that makes one, is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vser_stream.adapters import rulebook
from vser_stream.cli.extras import needs_train
from vser_stream.cli.models import load_model
from vser_stream.cli.progress import bars
from vser_stream.config import shipped_rules
from vser_stream.errors import UserError

if TYPE_CHECKING:
    from vser_stream.training.cache import FeatureCache
    from vser_stream.training.second_look import Encoder

__all__ = ["evaluate"]


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(help="CSV with path, speaker, label; paths start from its folder. Repeatable."),
    ],
    model: Annotated[
        Path | None, typer.Option(help="Model folder. Without it the recipe is cross-validated by speaker.")
    ] = None,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="Also a fifth of it through noise, rooms and codecs.")
    ] = False,
    nested: Annotated[
        bool, typer.Option("--nested", help="Also with the recipe chosen anew in each fold: twice as long.")
    ] = False,
    scenes: Annotated[
        bool, typer.Option("--scenes", help="Count events told and false alarms in composed hours instead.")
    ] = False,
    homes: Annotated[int, typer.Option(min=1, help="With --scenes: homes, at most one for a speaker.")] = 32,
    minutes: Annotated[float, typer.Option(min=1, help="With --scenes: length of each.")] = 15.0,
    left_out: Annotated[
        bool,
        typer.Option("--left-out", help="With --scenes: leave whole corpora out in turn, instead of people."),
    ] = False,
    encoder: Annotated[
        Path | None, typer.Option(help="Second look: its encoder, or the wheel that holds it.")
    ] = None,
    no_second_look: Annotated[bool, typer.Option("--no-second-look", help="Try the machines alone.")] = False,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Leave out each group of features in turn instead.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Follow the calm baseline over time instead.")
    ] = False,
    variants: Annotated[
        str | None,
        typer.Option(help="With --reasoner: versions of the reference table, such as v1,v2,v3,v4,v5."),
    ] = None,
    reasoner: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a bundled reasoner, or a GGUF chat model; repeatable."),
    ] = None,
    clips: Annotated[
        int, typer.Option(min=8, help="With --reasoner: most clips of each set of speakers.")
    ] = 200,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there, and JSON beside it.")] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for computed features.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Measure on labelled recordings: cold, running and warm, pooled and by corpus.

    A model's figures only mean something on speakers it was not trained on.
    """
    if report:
        with needs_train():
            from vser_stream.training.report import check_report  # noqa: PLC0415 - extra [train]
        check_report(report)
    if reasoner:
        _reasoners(
            data, reasoner, variants or "v1,v2,v3,v4,v5", clips=clips, report=report, as_json=as_json,
            seed=seed, cache=cache, processes=processes,
        )  # fmt: skip
        return
    if scenes:
        _evaluate_scenes(
            data, model, homes=homes, minutes=minutes, left_out=left_out, report=report, as_json=as_json,
            encoder=encoder, second_look=not no_second_look, seed=seed, cache=cache, processes=processes,
        )  # fmt: skip
        return
    if nested and model:
        raise UserError("--nested chooses a recipe; a trained --model has none left to choose")
    if ablation or baselines:
        if model or report or (ablation and baselines):
            raise UserError("--ablation and --baselines exclude each other, and --model and --report")
        kind = "ablation" if ablation else "baselines"
        _study(kind, data, seed=seed, cache=cache, processes=processes, as_json=as_json)
        return
    with needs_train():
        from vser_stream.training import evaluate as figures  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation import text_table  # noqa: PLC0415 - extra [train]
        from vser_stream.training.report import write_report  # noqa: PLC0415 - extra [train]
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        if model is None:
            evaluation = figures.evaluate_recipe(
                data,
                encoder=None if no_second_look else _encoder(data, features, encoder),
                conditions=conditions,
                choice_nested=nested,
                seed=seed,
                cache=features,
                processes=processes,
                progress=progress,
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
    print(json.dumps(evaluation.to_dict()) if as_json else text_table(evaluation))


def _encoder(data: list[Path], cache: FeatureCache, given: Path | None) -> Encoder:
    """Of the second look that is tried with the machines."""
    from vser_stream.training.corpus import read_corpora  # noqa: PLC0415 - extra [train]
    from vser_stream.training.second_look import encoder_for  # noqa: PLC0415 - extra [train]

    return encoder_for(read_corpora(data), cache.folder, given)


def _evaluate_scenes(
    data: list[Path],
    model: Path | None,
    *,
    homes: int,
    minutes: float,
    left_out: bool,
    report: Path | None,
    as_json: bool,
    encoder: Path | None,
    second_look: bool,
    seed: int,
    cache: Path | None,
    processes: int,
) -> None:
    if left_out and model:
        raise UserError("--left-out trains without each corpus in turn; a --model has heard what it has")
    with needs_train():
        from vser_stream.training import evaluate_events as events  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.report import write_events_report  # noqa: PLC0415 - extra [train]
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        evaluation = events.evaluate_scenes(
            data,
            model=model,
            homes=homes,
            minutes=minutes,
            left_out=left_out,
            encoder=_encoder(data, features, encoder) if second_look and not model else None,
            seed=seed,
            cache=features,
            processes=processes,
            progress=progress,
        )
    if report:
        write_events_report(evaluation, report)
    print(json.dumps(evaluation.to_dict()) if as_json else events.events_table(evaluation))


def _study(
    kind: str, data: list[Path], *, seed: int, cache: Path | None, processes: int, as_json: bool
) -> None:
    """One that only varies the recipe, or what is heard: ``ablation`` or ``baselines``."""
    with needs_train():
        from vser_stream.training import ablation, listening  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
    features = FeatureCache(cache, processes=processes)
    with bars() as progress:
        if kind == "ablation":
            left_out = ablation.evaluate_ablation(
                data, seed=seed, cache=features, processes=processes, progress=progress
            )
            facts, text = left_out.to_dict(), ablation.ablation_table(left_out)
        else:
            followed = listening.evaluate_listening(
                data, seed=seed, cache=features, processes=processes, progress=progress
            )
            facts, text = followed.to_dict(), listening.listening_table(followed)
    print(json.dumps(facts) if as_json else text)


def _reasoners(
    data: list[Path],
    reasoners: list[Path],
    variants: str,
    *,
    clips: int,
    report: Path | None,
    seed: int,
    cache: Path | None,
    processes: int,
    as_json: bool,
) -> None:
    with needs_train():
        from vser_stream.training import reasoner_report as reports  # noqa: PLC0415 - extra [train]
        from vser_stream.training.cache import FeatureCache  # noqa: PLC0415 - extra [train]
        from vser_stream.training.reasoner_cases import evidence_of_corpus  # noqa: PLC0415 - extra [train]
        from vser_stream.training.report import write_reasoners_report  # noqa: PLC0415 - extra [train]
        from vser_stream.training.variants import VARIANTS, Books  # noqa: PLC0415 - extra [train]
    chosen = variants.split(",")
    if unknown := set(chosen) - set(VARIANTS):
        raise UserError(f"--variants {', '.join(sorted(unknown))}: known are {', '.join(VARIANTS)}")
    refined = shipped_rules()
    books = Books(
        first=rulebook.load(refined.with_name("paper-definitions.toml")), refined=rulebook.load(refined)
    )
    with bars() as progress:
        features = FeatureCache(cache, processes=processes)
        evidence = evidence_of_corpus(
            data, books.refined, cache=features, seed=seed, processes=processes, progress=progress
        )
        found = [
            reports.report_on(
                evidence, path, books=books, variants=chosen, clips=clips, seed=seed, progress=progress
            )
            for path in reasoners
        ]
    if report:
        write_reasoners_report(found, report)
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print("\n\n".join(map(reports.report_text, found)))
