"""``vser-stream config``: check, show and describe the configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from vser_stream import __version__
from vser_stream.adapters.audio.rtsp_camera import redact
from vser_stream.adapters.storage.output_files import check_file, check_folder, replace_file
from vser_stream.config.fields import CAMERA_URL
from vser_stream.config.loader import load
from vser_stream.config.schema import Config
from vser_stream.core.wire.asyncapi import asyncapi
from vser_stream.core.wire.documents import DOCUMENTS
from vser_stream.errors import ConfigError
from vser_stream.files import regular
from vser_stream.runtime.build import Engine

__all__ = ["app"]

app = typer.Typer(help="Check, show and describe the configuration.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="Configuration file (TOML).")]


@app.command()
def check(file: File) -> None:
    """Say whether the daemon can start with a configuration; loads model, rules and reasoner as it does."""
    config = load(file)
    Engine.load(config)
    for doubt in _doubts(config):
        print(f"vser-stream: {file}: warning: {doubt}", file=sys.stderr)
    print(f"{file}: good, site {config.site}, {len(config.sources)} source(s)")


def _doubts(config: Config) -> Iterator[str]:
    """What the daemon starts with, and can do nothing with before somebody corrects it."""
    tables = {"mqtt": config.mqtt} | {f"source {source.name!r}": source for source in config.sources}
    for table, section in tables.items():
        for key, path in section:
            if isinstance(path, Path) and (trouble := _trouble(path)):
                yield f"{table}: {key} {path}: {trouble}"
    for source in config.sources:
        login = CAMERA_URL.fullmatch(source.url or "")
        if login and ":" in (login["login"] or ""):
            yield f"source {source.name!r}: its url holds a password; put it into password_file"


def _trouble(path: Path) -> str:
    """Why a file cannot be read by whoever asks; empty if it can."""
    try:
        with regular(path).open("rb"):
            return ""
    except OSError as exc:
        return str(exc.strerror)


@app.command()
def show(file: File) -> None:
    """Print the effective configuration as JSON, defaults included and passwords left out."""
    document = load(file).model_dump(mode="json")
    for table in (*document["sources"], document["reasoner"]):
        table["url"] = table["url"] and redact(table["url"])
    print(json.dumps(document, indent=2))


@app.command()
def schema(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write the JSON Schemas of all messages and of the configuration to."),
    ] = None,
    topics: Annotated[
        bool, typer.Option("--asyncapi", help="Print the AsyncAPI 3 document of all topics instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the configuration, or write all schemas to a folder."""
    if out is None:
        print(_json(asyncapi(__version__) if topics else Config.model_json_schema()))
        return
    made = schemas()
    check_folder(out, ours=lambda _: True, what="schemas")
    try:
        out.mkdir(exist_ok=True)
        for name, text in made.items():
            check_file(out / name, ours=partial(_describes, text), what="a schema of vser-stream")
        for name, text in made.items():
            replace_file(out / name, text.encode())
    except OSError as exc:
        raise ConfigError(f"{out}: cannot be written ({exc.strerror}); choose another folder") from exc
    print(f"{out}: {len(made)} schemas")


def _describes(text: str, head: bytes) -> bool:
    """Whether a schema is an edition of another: titles stay."""
    try:
        return _title(json.loads(head)) == _title(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _title(schema: dict[str, Any]) -> tuple[str, str]:
    about = schema.get("info", schema)
    return about["title"], about["description"]


def schemas() -> dict[str, str]:
    """File name and text of every schema."""
    documents = {
        f"{name}.schema.json": model.model_json_schema(mode="serialization")
        for name, model in DOCUMENTS.items()
    }
    return {
        name: _json(schema)
        for name, schema in {
            **documents,
            "config.schema.json": Config.model_json_schema(),
            "asyncapi.json": asyncapi(__version__),
        }.items()
    }


def _json(document: object) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
