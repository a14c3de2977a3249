"""``vser-stream rules``: look after the book of human rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from vser_stream.adapters.storage.rulebook import load, read
from vser_stream.adapters.system.untrusted_text import parse_json
from vser_stream.config.locations import shipped_rules
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.lint import failures, problems
from vser_stream.core.reason.rules import TRUSTED_FROM, Condition, Rule, RuleBook
from vser_stream.core.scoring.descriptors import FORMER_NAMES
from vser_stream.core.wire.decision_documents import cues_in
from vser_stream.errors import RuleError, UserError
from vser_stream.files import read_text
from vser_stream.values import Cue

__all__ = ["app"]

app = typer.Typer(help="Manage the human rules.", no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(help="Book of rules (TOML); default: the shipped one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def lint(file: File = None, as_json: AsJson = False) -> None:
    """Say whether a book of rules can be used: cues that exist, sources, no contradictions, no dead rules."""
    path = file or shipped_rules()
    book = read(path)
    _verdict(path, book, problems(book), as_json=as_json, good="good")


@app.command("test")
def try_examples(file: File = None, as_json: AsJson = False) -> None:
    """Try every rule on its own examples."""
    path = file or shipped_rules()
    book = load(path)
    _verdict(path, book, failures(book), as_json=as_json, good="every example holds")


@app.command()
def explain(
    file: File = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="Alert, utterance, record or list of evidence (JSON): which rules fire on it?"),
    ] = None,
    language: Annotated[Language, typer.Option(help="Of the rules' texts.")] = Language.EN,
    as_json: AsJson = False,
) -> None:
    """Say what each rule means, and with --evidence which of them fire on it and why."""
    book = load(file or shipped_rules())
    cues = _cues(evidence) if evidence else None
    rows = [_explained(rule, cues, book, language) for rule in book.rules]
    if as_json:
        print(json.dumps({**_facts(book), "rules": rows}))
        return
    table = Table(title=f"{book.name} {book.version}")
    table.add_column("rule", no_wrap=True)
    for column in ("speaks for", "when", "meaning", "source"):
        table.add_column(column)
    if cues is not None:
        table.add_column("fires")
    for row in rows:
        fires = [] if cues is None else ["yes" if row["fires"] else f"no: {'; '.join(row['unmet'])}"]
        speaks_for = f"{row['label']} {row['weight']:g}"
        table.add_row(row["id"], speaks_for, row["when"], row["meaning"], row["source"], *fires)
    Console().print(table)


def _verdict(path: Path, book: RuleBook, found: tuple[str, ...], *, as_json: bool, good: str) -> None:
    if as_json:
        print(json.dumps({**_facts(book), "problems": found}))
    elif not found:
        print(f"{path}: {good}, {len(book.rules)} rules, {book.name} {book.version} {book.digest[:12]}")
    if found:
        raise RuleError(f"{path}: " + "; ".join(found))


def _facts(book: RuleBook) -> dict[str, Any]:
    return {"name": book.name, "version": book.version, "sha256": book.digest}


def _explained(
    rule: Rule, cues: tuple[Cue, ...] | None, book: RuleBook, language: Language
) -> dict[str, Any]:
    facts = rule.model_dump(mode="json", include={"id", "label", "weight", "against", "source"})
    facts |= {"when": _when(rule), "meaning": book.text(rule.id, language)}
    if cues is not None:
        met = rule.met(cues)
        facts |= {
            "fires": rule.fired(cues) is not None,
            "met": [_in_words(one) for one in met],
            "unmet": [_in_words(one) + _doubt(one, cues) for one in rule.when if one not in met],
        }
    return facts


def _doubt(condition: Condition, cues: tuple[Cue, ...]) -> str:
    """A cue may be where a rule wants it, and still not be trusted."""
    untrusted = (cue for cue in cues if cue.name == condition.cue and cue.confidence < TRUSTED_FROM)
    return next((f" (confidence only {cue.confidence:g})" for cue in untrusted), "")


def _when(rule: Rule) -> str:
    needed = rule.least or len(rule.when)
    joined = "; ".join(map(_in_words, rule.when))
    return joined if needed == len(rule.when) else f"{needed} of: {joined}"


def _in_words(condition: Condition) -> str:
    limits = {
        "z ≥ {:g}": condition.z_at_least,
        "z ≤ {:g}": condition.z_at_most,
        "≥ {:g}": condition.value_at_least,
        "≤ {:g}": condition.value_at_most,
    }
    said = [text.format(limit) for text, limit in limits.items() if limit is not None]
    return f"{condition.cue} " + ", ".join(
        [*said, *([" or ".join(condition.words)] if condition.words else [])]
    )


def _cues(path: Path) -> tuple[Cue, ...]:
    """Read the cues of an alert, an utterance, a record or a bare list of evidence."""
    try:
        evidence = TypeAdapter(list[Cue]).validate_python(cues_in(parse_json(read_text(path))))
    except OSError as exc:
        raise UserError(f"{path}: cannot be read ({exc.strerror}); give a JSON file") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise UserError(f"{path}: holds no evidence; give an alert, utterance or record") from exc
    return tuple(replace(one, name=FORMER_NAMES.get(one.name, one.name)) for one in evidence)
