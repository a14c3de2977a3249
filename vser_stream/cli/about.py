"""``vser-stream about``: what this is, of what versions, under which licences."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from vser_stream import __version__
from vser_stream.cli._contacts import contacts
from vser_stream.config.loader import load
from vser_stream.config.locations import shipped_model
from vser_stream.runtime.build import features, load_model

__all__ = ["about", "libraries"]

NOTICE = "Not a medical device. The shipped model was trained on acted speech."


ONLY_WHEN_ASKED = "models pull fetches one file from huggingface.co, or from the address it is given"


def about(
    config: Annotated[
        Path | None, typer.Option(help="Also list whom an agent with this configuration contacts.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell versions, model, features and licences: what belongs into every report of a fault.

    And what leaves the box, to whom: what the configuration names, and nothing else.
    """
    facts = _facts() | {"leaves_the_box": _leaves(config)}
    if as_json:
        print(json.dumps(facts))
        return
    model = facts["model"]
    print(f"vser-stream {facts['version']} ({facts['licence']}), {facts['python']}, {facts['system']}")
    print(facts["notice"])
    print(f"model {model['name']} {model['version']}, manifest sha256 {model['sha256']}")
    print(f"features {facts['features']}")
    print("leaves this box, never any audio:")
    for contact in facts["leaves_the_box"]["to"]:
        print(f"  to {contact['to']}: {contact['what']}")
    print(f"  to no one {'else' if config else 'without a configuration (--config FILE)'}")
    print(f"  only on request: {ONLY_WHEN_ASKED}")
    for library in facts["libraries"]:
        print(f"  {library['name']} {library['version']}: {library['licence']}")


def _leaves(config: Path | None) -> dict[str, Any]:
    to = [asdict(contact) for contact in contacts(load(config))] if config else []
    return {"to": to, "audio": False, "only_when_asked": ONLY_WHEN_ASKED}


def _facts() -> dict[str, Any]:
    model = load_model(shipped_model())
    return {
        "version": __version__,
        "licence": _licence(metadata.distribution("vser-stream")),
        "notice": NOTICE,
        "python": f"Python {platform.python_version()}",
        "system": platform.platform(),
        "model": {"name": model.name, "version": model.version, "sha256": model.sha256},
        "features": features(),
        "libraries": [
            {"name": one.name, "version": one.version, "licence": _licence(one)} for one in libraries()
        ],
    }


def libraries(*, optional: bool = True) -> Iterator[metadata.Distribution]:
    """The libraries this package names and that are installed.

    Args:
        optional: Those of its extras too.

    Raises:
        importlib.metadata.PackageNotFoundError: One that is not optional is missing.
    """
    for requirement in metadata.requires("vser-stream") or ():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        extra = "extra ==" in requirement
        if name == "vser-stream" or (extra and not optional):
            continue
        try:
            yield metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if not extra:
                raise


def _licence(distribution: metadata.Distribution) -> str:
    """Its licence in a few words: three places have been in use for it."""
    told = distribution.metadata.json
    if expression := told.get("license_expression"):
        return str(expression)
    classifiers = [one for one in told.get("classifier", ()) if one.startswith("License ::")]
    if classifiers:
        return " and ".join(one.rsplit(" :: ", 1)[-1] for one in classifiers)
    words = str(told.get("license", "")).strip().splitlines()
    return words[0] if words else "see its own files"
