"""``vser-stream evaluate``: how good a model, or the recipe that makes one, is."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vser_stream.adapters.storage import rulebook
from vser_stream.cli._extras import needs_train
from vser_stream.cli._progress import running
from vser_stream.config.locations import shipped_rules
from vser_stream.errors import UserError
from vser_stream.runtime.build import load_model

if TYPE_CHECKING:
    from vser_stream.training.classifier.second_look_graph import Encoder
    from vser_stream.training.run import Run

__all__ = ["evaluate"]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every kind of evaluation is told."""

    data: list[Path]
    report: Path | None
    as_json: bool
    seed: int
    cache: Path | None
    processes: int

    def running(self) -> AbstractContextManager[Run]:
        return running(seed=self.seed, cache=self.cache, processes=self.processes)


def evaluate(  # noqa: PLR0913 - an option is a parameter
    data: Annotated[
        list[Path],
        typer.Option(help="CSV with path, speaker, label; paths are relative to its folder. Repeatable."),
    ],
    model: Annotated[
        Path | None, typer.Option(help="Model folder. Without it the recipe is cross-validated by speaker.")
    ] = None,
    conditions: Annotated[
        bool,
        typer.Option(
            "--conditions", help="Also evaluate a fifth of it with noise, reverberation and codecs."
        ),
    ] = False,
    nested: Annotated[
        bool,
        typer.Option(
            "--nested", help="Also nested cross-validation: the recipe is chosen in each fold; twice as long."
        ),
    ] = False,
    scenes: Annotated[
        bool,
        typer.Option("--scenes", help="Count detected events and false alarms in composed scenes instead."),
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
    no_second_look: Annotated[
        bool, typer.Option("--no-second-look", help="Without the second look.")
    ] = False,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Leave out each group of features in turn instead.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Follow the calm baseline over time instead.")
    ] = False,
    variants: Annotated[
        str | None,
        typer.Option(help="With --reasoner: versions of Nguyen et al. (2026), such as v1,v2,v3,v4,v5."),
    ] = None,
    reasoner: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a bundled reasoner, or a GGUF chat model; repeatable."),
    ] = None,
    clips: Annotated[
        int, typer.Option(min=8, help="With --reasoner: most clips of each set of speakers.")
    ] = 200,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there, and JSON beside it.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for computed features.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Measure on labelled recordings: cold, running and warm, pooled and by corpus.

    A model's figures only mean something on speakers it was not trained on.
    """
    if report:
        with needs_train():
            from vser_stream.training.evaluation.html_report import check_report  # noqa: PLC0415 - extra [train]
        check_report(report)
    work = _Work(data, report, as_json, seed=seed, cache=cache, processes=processes)
    second_look = None if no_second_look else _SecondLook(encoder)
    if reasoner:
        _reasoners(work, reasoner, variants or "v1,v2,v3,v4,v5", clips=clips)
    elif scenes:
        if left_out and model:
            raise UserError(
                "--left-out trains without each corpus in turn; a trained --model cannot be changed"
            )
        _scenes(work, model, second_look, homes=homes, minutes=minutes, left_out=left_out)
    elif nested and model:
        raise UserError("--nested chooses a recipe; a trained --model has none left to choose")
    elif ablation or baselines:
        if model or report or (ablation and baselines):
            raise UserError(
                "--ablation and --baselines are mutually exclusive, and exclude --model and --report"
            )
        _study("ablation" if ablation else "baselines", work)
    else:
        _clips(work, model, second_look, conditions=conditions, nested=nested)


@dataclass(frozen=True, slots=True)
class _SecondLook:
    """One that is tried with the machines."""

    file: Path | None
    """What its encoder is cut from; None to fetch that."""

    def encoder(self, data: list[Path], run: Run) -> Encoder:
        from vser_stream.training.classifier.second_look_graph import encoder_for  # noqa: PLC0415 - extra [train]
        from vser_stream.training.data.corpus import read_corpora  # noqa: PLC0415 - extra [train]

        return encoder_for(read_corpora(data), run.cache.folder, self.file)


def _clips(
    work: _Work, model: Path | None, second_look: _SecondLook | None, *, conditions: bool, nested: bool
) -> None:
    """Clip by clip: a model, or the recipe."""
    with needs_train():
        from vser_stream.training.evaluation.clips import evaluate_clips as figures  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation.clips.results import text_table  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation.html_report import write_report  # noqa: PLC0415 - extra [train]
    with work.running() as run:
        if model is not None:
            evaluation = figures.evaluate_model(
                work.data, run, model=load_model(model), conditions=conditions
            )
        else:
            evaluation = figures.evaluate_recipe(
                work.data,
                run,
                encoder=second_look.encoder(work.data, run) if second_look else None,
                conditions=conditions,
                choice_nested=nested,
            )
    if work.report:
        write_report(evaluation, work.report)
    print(json.dumps(evaluation.to_dict()) if work.as_json else text_table(evaluation))


def _scenes(
    work: _Work,
    model: Path | None,
    second_look: _SecondLook | None,
    *,
    homes: int,
    minutes: float,
    left_out: bool,
) -> None:
    """Events in composed hours."""
    with needs_train():
        from vser_stream.training.evaluation.events import evaluate_events as events  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation.html_report import write_events_report  # noqa: PLC0415 - extra [train]
    with work.running() as run:
        evaluation = events.evaluate_scenes(
            work.data,
            run,
            model=model,
            left_out=left_out,
            composed=events.Composed(homes, minutes),
            encoder=second_look.encoder(work.data, run) if second_look and not model else None,
        )
    if work.report:
        write_events_report(evaluation, work.report)
    print(json.dumps(evaluation.to_dict()) if work.as_json else events.events_table(evaluation))


def _study(kind: str, work: _Work) -> None:
    """One that only varies the recipe, or what is heard: ``ablation`` or ``baselines``."""
    with needs_train():
        from vser_stream.training.evaluation.clips import ablation, baseline_study  # noqa: PLC0415 - extra [train]
    with work.running() as run:
        if kind == "ablation":
            left_out = ablation.evaluate_ablation(work.data, replace(run, recipe=ablation.QUICK))
            facts, text = left_out.to_dict(), ablation.ablation_table(left_out)
        else:
            followed = baseline_study.evaluate_listening(work.data, replace(run, recipe=baseline_study.QUICK))
            facts, text = followed.to_dict(), baseline_study.listening_table(followed)
    print(json.dumps(facts) if work.as_json else text)


def _reasoners(work: _Work, reasoners: list[Path], variants: str, *, clips: int) -> None:
    with needs_train():
        from vser_stream.training.evaluation.html_report import write_reasoners_report  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation.reasoning import reasoner_study as reports  # noqa: PLC0415 - extra [train]
        from vser_stream.training.evaluation.reasoning.variants import VARIANTS, Books  # noqa: PLC0415 - extra [train]
        from vser_stream.training.reasoner.cases import evidence_of_corpus  # noqa: PLC0415 - extra [train]
    chosen = variants.split(",")
    if unknown := set(chosen) - set(VARIANTS):
        raise UserError(f"--variants {', '.join(sorted(unknown))}: known are {', '.join(VARIANTS)}")
    refined = shipped_rules()
    books = Books(
        first=rulebook.load(refined.with_name("paper-definitions.toml")), refined=rulebook.load(refined)
    )
    with work.running() as run:
        evidence = evidence_of_corpus(work.data, books.refined, run)
        found = [
            reports.report_on(evidence, path, books=books, variants=chosen, clips=clips, run=run)
            for path in reasoners
        ]
    if work.report:
        write_reasoners_report(found, work.report)
    if work.as_json:
        print(json.dumps([asdict(one) for one in found]))
        return
    print("\n\n".join(map(reports.report_text, found)))
