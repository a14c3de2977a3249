"""``vser-stream models``: look after models."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from vser_stream.adapters.models.download import Remote, fetch
from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.adapters.storage.rulebook import RuleShelf
from vser_stream.config.locations import shipped_model, shipped_rules, state_folder
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.dialogue import General, Specialist
from vser_stream.errors import UserError
from vser_stream.runtime.build import load_model
from vser_stream.runtime.reasoning.reasoners import bundled_weights

__all__ = ["app"]

KNOWN = {
    "qwen2.5-0.5b-instruct": Remote(
        "https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-0.5b-instruct-q4_k_m.gguf",
        sha256="74a4da8c9fdbcd15bd1f6d01d621410d31c6fc00986f5eb687824e7b93d7a9db",
        size=491_400_032,
    )
}
"""Models we name, each with the one content it may have."""

app = typer.Typer(help="Manage models.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """Manage models."""


@app.command()
def verify(
    what: Annotated[
        Path | None,
        typer.Argument(help="Folder of a model or reasoner, or a GGUF file; default: the shipped model."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    sha256: Annotated[str | None, typer.Option(help="What a GGUF file must be.")] = None,
) -> None:
    """Check a model as the daemon does before it starts.

    A model: hashes, feature digest and golden vectors. A reasoner: hash, the prompt it was taught for,
    and whether llama.cpp can run it. A GGUF file: hash, memory, and the same.
    """
    if what is not None and what.suffix == ".gguf":
        name, facts = what.name, _facts_of_gguf(what, sha256)
    elif what is not None and (what / "model.gguf").is_file():
        name, facts = what.name, _facts_of_reasoner(what)
    else:
        name, facts = _facts_of_folder(what or shipped_model())
    if as_json:
        print(json.dumps(facts))
        return
    table = Table("what", "value", title=f"{name}: verified")
    for fact, value in facts.items():
        table.add_row(fact, str(value))
    Console().print(table)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help=f"{', '.join(KNOWN)}, or the address of a GGUF file.")],
    to: Annotated[Path | None, typer.Option(help="Folder; default: models, below the state folder.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Of the file; needed with an address.")] = None,
) -> None:
    """Fetch a language model, checked against its pinned checksum; goes on where it was cut."""
    remote = KNOWN.get(name)
    if remote is None:
        if sha256 is None or not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
            raise UserError(
                f"{name}: is no known model ({', '.join(KNOWN)}); an address needs --sha256 beside it"
            )
        remote = Remote(name, sha256)
    with _bar(remote.name) as progress:
        path = fetch(remote, to or _models_folder(), progress=progress)
    print(
        f"{path.resolve()}: complete. For the configuration:\n\n"
        f'[reasoner]\nbackend = "gguf"\nmodel = "{path.resolve()}"\nsha256 = "{remote.sha256}"'
    )


def _models_folder() -> Path:
    """Where models go unless it is told otherwise."""
    folder = state_folder() / "models"
    with contextlib.suppress(OSError):  # told when it is written to
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int | None], None]]:
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _facts_of_folder(folder: Path) -> tuple[str, dict[str, object]]:
    model = load_model(folder)
    return model.name, {
        "name": model.name,
        "version": model.version,
        "manifest_sha256": model.sha256,
        "features": model.manifest["features"],
        "escalate_below": model.escalate_below,
        "verified": True,
    }


def _facts_of_gguf(path: Path, sha256: str | None) -> dict[str, object]:
    """Let llama.cpp read the prompt of a chat with it.

    Raises:
        ModelError: The model cannot be used.
        ReasonerError: llama.cpp crashes or hangs on it.
    """
    shelf = RuleShelf(shipped_rules())
    reasoner = LlamaReasoner(Weights(path, sha256), lambda: General(Chat(shelf.book)))
    return {"name": path.stem, **_verified(reasoner)}


def _facts_of_reasoner(folder: Path) -> dict[str, object]:
    """As :func:`_facts_of_gguf`, of one that was taught the bundled prompt."""
    weights = bundled_weights(folder)
    return {"name": weights.name, **_verified(LlamaReasoner(weights, Specialist))}


def _verified(reasoner: LlamaReasoner) -> dict[str, object]:
    try:
        reasoner.prepare()
    finally:
        reasoner.close()
    return {"sha256": reasoner.sha256, "verified": True}
