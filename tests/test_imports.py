"""The layout is the architecture: imports run one way, and the core stays pure."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PACKAGE = Path(__file__).parent.parent / "vser_stream"
LAYERS = [
    "errors", "values", "ports", "files", "fields", "complaint", "config", "core", "adapters", "runtime",
    "cli", "__main__",
]  # fmt: skip
"""Lowest first; each may import those before it. Beside them: training -> core, some adapters."""

TRAINING_MAY_USE = {"core", "adapters", "config", "ports", "values", "errors", "files"}
TRAINING_ADAPTERS = {
    "graphs", "llama_process", "manifest", "pitch", "places", "second_look", "svm", "vad", "wavfile",
}  # fmt: skip
IMPURE = {"files", "fields", "complaint"}
"""Below the core, and still none of its business."""

CORE_MAY_USE = {"numpy", "scipy", "python_speech_features", "pydantic"}
PURE_STDLIB = {
    "__future__", "abc", "base64", "collections", "dataclasses", "datetime", "difflib", "enum", "functools",
    "hashlib", "itertools", "json", "math", "re", "types", "typing", "unicodedata",
}  # fmt: skip


def imports_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield ast.unparse(node.args[0]).removeprefix("f").strip("'")


def violations(module: str, source: str) -> list[str]:
    """Forbidden imports of a module, named by its dotted path below the package."""
    layer = module.split(".", maxsplit=1)[0]
    return [name for name in imports_of(source) if not _allowed(layer, name)]


def _allowed(layer: str, name: str) -> bool:
    first, *rest = name.split(".")
    if first != "vser_stream":
        return layer != "core" or first in CORE_MAY_USE | PURE_STDLIB
    if not rest:
        return True
    if rest[0] == "training":
        return layer in {"training", "cli"}
    if layer == "training":
        adapter_ok = rest[0] != "adapters" or rest[1] in TRAINING_ADAPTERS
        return adapter_ok and rest[0] in TRAINING_MAY_USE
    if layer == "core" and rest[0] in IMPURE:
        return False
    return rest[0] == layer or (layer in LAYERS and LAYERS.index(rest[0]) < LAYERS.index(layer))


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_run_one_way(path: Path) -> None:
    assert violations(dotted(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core.segment", "import asyncio"),
        ("core.segment", "import time"),
        ("core.segment", "from vser_stream.files import read_text"),
        ("core.segment", "from vser_stream.adapters.vad import WebRtcVad"),
        ("values", "from vser_stream.config import load"),
        ("adapters.mqtt", "from vser_stream.runtime.delivery import Delivery"),
        ("runtime.agent", "from vser_stream.training.fit import fit"),
        ("training.fit", "from vser_stream.adapters.mqtt import MqttPublisher"),
    ],
)
def test_the_rule_bites(module: str, line: str) -> None:
    assert violations(module, line) == [line.split()[1]]


def test_each_third_party_library_is_imported_by_one_adapter_only() -> None:
    owners: dict[str, set[str]] = {}
    for path in (PACKAGE / "adapters").glob("*.py"):
        for name in imports_of(path.read_text()):
            owners.setdefault(name.split(".")[0], set()).add(path.stem)
    libraries = {"av", "sounddevice", "webrtcvad", "aiomqtt", "prometheus_client"}
    assert {name: len(owners[name]) for name in libraries} == dict.fromkeys(libraries, 1)
    database = {"outbox", "schema", "evidence", "kept", "rows", "salvage"}
    assert owners["sqlite3"] == database, "the agent's one database file"


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.parametrize("extras_of", [("mic", "llm"), ("mic", "llm", "train")], ids=["agent", "training"])
def test_each_library_is_declared_by_us_and_not_lent_by_another(extras_of: tuple[str, ...]) -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    of_extras = [one for extra in extras_of for one in project["optional-dependencies"][extra]]
    declared = [*project["dependencies"], *of_extras]
    names = {canonical(Requirement(one).name) for one in declared}
    owners = packages_distributions()
    missing = {
        (dotted(path), name)
        for path in modules()
        if dotted(path).startswith("training") is ("train" in extras_of)
        for whole in imports_of(path.read_text())
        if (name := whole.split(".")[0]) not in {*sys.stdlib_module_names, "vser_stream"}
        and names.isdisjoint(map(canonical, owners[name]))
    }
    assert missing == set()


def test_each_library_is_bounded_above() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(one for many in project["optional-dependencies"].values() for one in many),
    ]
    bounds = {one: {part.operator for part in Requirement(one).specifier} for one in declared}
    assert [
        one for one, found in bounds.items() if found.isdisjoint({"<", "=="}) and "vser-stream" not in one
    ] == []
