"""The layout is the architecture: imports run one way, the core stays pure; contracts in pyproject.toml."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vser_stream"

CORE_MAY_USE = {"numpy", "scipy", "python_speech_features", "pydantic"}
PURE_STDLIB = {
    "__future__", "abc", "base64", "collections", "dataclasses", "datetime", "difflib", "enum", "functools",
    "hashlib", "itertools", "json", "math", "re", "types", "typing", "unicodedata",
}  # fmt: skip


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package of a folder to the contracts beside it."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("vser_stream", include_external_packages=True, cache_dir=None)


def imports_of(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield ast.unparse(node.args[0]).removeprefix("f").strip("'")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_the_contracts_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


BREACHES = {
    "values.py": ("import vser_stream.config.schema", "vser_stream.values -> vser_stream.config.schema"),
    "adapters/__init__.py": ("import vser_stream.runtime", "vser_stream.adapters -> vser_stream.runtime"),
    "runtime/__init__.py": ("import vser_stream.training", "vser_stream.runtime -> vser_stream.training"),
    "core/__init__.py": ("import asyncio", "vser_stream.core -> asyncio"),
    "core/reader.py": ("import vser_stream.files", "vser_stream.core.reader -> vser_stream.files"),
    "ports.py": ("import time", "vser_stream.ports -> time"),
    "training/__init__.py": ("import sqlite3", "vser_stream.training -> sqlite3"),
    "core/hen.py": ("import vser_stream.core.egg", ".hen -> .egg"),
    "core/egg.py": ("import vser_stream.core.hen", ".hen -> .egg"),
    "helpers.py": ("", "helpers"),
}
"""A line that is added to a file, and what is said of it: one way or another each contract is broken."""


@pytest.fixture(scope="module")
def told_of_breaches(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("broken")
    for path in [PACKAGE / "__init__.py", *modules()]:
        (copy := folder / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, (line, _) in BREACHES.items():
        with (folder / "vser_stream" / name).open("a") as file:
            file.write(f"\n{line}\n")
    done = lint(folder)
    assert done.returncode == 1, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", BREACHES)
def test_the_contracts_bite(told_of_breaches: str, name: str) -> None:
    assert BREACHES[name][1] in told_of_breaches


def test_the_core_imports_nothing_that_is_not_known_to_be_pure(graph: grimp.ImportGraph) -> None:
    used = {
        (module, name)
        for module in {"vser_stream.core", *graph.find_descendants("vser_stream.core")}
        for name in graph.find_modules_directly_imported_by(module)
    }
    assert {
        (module, name)
        for module, name in used
        if not name.startswith("vser_stream") and name not in CORE_MAY_USE | PURE_STDLIB
    } == set()


def test_each_third_party_library_is_imported_by_one_adapter_only() -> None:
    owners: dict[str, set[str]] = {}
    for path in modules():
        for name in imports_of(path.read_text()):
            owners.setdefault(name.split(".")[0], set()).add(dotted(path))
    libraries = {"av", "sounddevice", "webrtcvad", "aiomqtt", "prometheus_client", "llama_cpp"}
    found = {name: owners[name] for name in libraries}
    assert {name: many for name, many in found.items() if len(many) > 1} == {}
    assert {one for many in found.values() for one in many if not one.startswith("adapters.")} == set()
    database = {"outbox", "database_schema", "audit_chain", "database_reader", "database_rows", "salvage"}
    assert {one.rpartition(".")[2] for one in owners["sqlite3"]} == database, "the agent's one database file"


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.parametrize("extras_of", [("mic", "llm"), ("mic", "llm", "train")], ids=["agent", "training"])
def test_each_library_is_declared_by_us_and_not_lent_by_another(extras_of: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
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
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [
        *project["dependencies"],
        *(one for many in project["optional-dependencies"].values() for one in many),
    ]
    bounds = {one: {part.operator for part in Requirement(one).specifier} for one in declared}
    assert [
        one for one, found in bounds.items() if found.isdisjoint({"<", "=="}) and "vser-stream" not in one
    ] == []
