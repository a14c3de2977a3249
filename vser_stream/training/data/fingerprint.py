"""Fingerprint of the code that makes something: what is kept on disk is only used by the code that made it.

What counts is found by what the code names: the functions and classes themselves, what they name in turn, and
so on through the imports of this package. A list of files kept by hand misses one some day, and so does a
version number that nobody raises; golden values would have to be those of a whole training. Now and then too
much is made anew this way, which costs time; never too little.

Comments, docstrings, layout, and the names and places of modules do not count. Of other libraries it only
counts what is imported from where.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = ["fingerprint", "fingerprint_of"]

_Place = tuple[Path, str]
"""A file, and a name at its top level."""


def fingerprint(*makers: Callable[..., Any]) -> str:
    """SHA-256 over functions or classes of this package and all of it they depend on, in hexadecimal."""
    package = Path(str(resources.files(__name__.partition(".")[0])))
    return fingerprint_of(tuple((maker.__module__, maker.__name__) for maker in makers), package)


@cache
def fingerprint_of(makers: tuple[tuple[str, str], ...], package: Path) -> str:
    """As :func:`fingerprint`, from the source alone.

    Args:
        makers: Dotted name of the module, and name at its top level, of each.
        package: Its folder, which is called as it is.

    Raises:
        ValueError: There is no such function or class.
    """
    todo = [_place(module, name, package) for module, name in makers]
    seen: set[_Place] = set()
    code: set[str] = set()
    while todo:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            written, named = _looked_up(place, package)
            code |= written
            todo += named
    return hashlib.sha256("\n".join(sorted(code)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Module:
    bound: dict[str, list[ast.stmt]]
    """What each name is given by; imports are split, one name each."""

    others: list[ast.stmt]
    """What gives no name, and may change any: a call, an assignment to an item."""


@cache
def _module(file: Path) -> _Module:
    bound: dict[str, list[ast.stmt]] = {}
    others: list[ast.stmt] = []
    for whole in _Bare().visit(ast.parse(file.read_text("utf-8"))).body:
        for statement in _split(whole):
            names = set(_binds(statement))
            for name in names:
                bound.setdefault(name, []).append(statement)
            if not names:
                others.append(statement)
    return _Module(bound, others)


class _Bare(ast.NodeTransformer):
    """Without docstrings, those of attributes included."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


def _split(statement: ast.stmt) -> list[ast.stmt]:
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    return [statement]


def _binds(node: ast.AST) -> Iterator[str]:
    """Names that a statement gives at the top level, within a condition too."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    else:
        for child in ast.iter_child_nodes(node):
            yield from _binds(child)


def _looked_up(place: _Place, package: Path) -> tuple[set[str], list[_Place]]:
    """What is written at a place, and what that names of this package."""
    file, name = place
    module = _module(file)
    written: set[str] = set()
    named: list[_Place] = []
    for statement in (*module.bound.get(name, ()), *module.others):
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            written.add(ast.dump(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                named += [(file, node.id)] if node.id in module.bound else []
            elif isinstance(node, ast.Import | ast.ImportFrom):
                ours, others = _imported(node, package)
                named += ours
                written |= others
    return written, named


def _imported(node: ast.Import | ast.ImportFrom, package: Path) -> tuple[list[_Place], set[str]]:
    """What is imported of this package, and from elsewhere."""
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    ours: list[_Place] = []
    others: set[str] = set()
    for alias in node.names:
        whole = _file_of(f"{module}.{alias.name}".removeprefix("."), package)
        file = _file_of(module, package)
        if whole is not None:
            ours += [(whole, name) for name in _module(whole).bound]
        elif file is not None:
            ours.append((file, alias.name))
        else:
            others.add(f"{module} {ast.dump(alias)}")
    return ours, others


def _place(module: str, name: str, package: Path) -> _Place:
    file = _file_of(module, package)
    if file is None or name not in _module(file).bound:
        raise ValueError(f"{module}.{name} is no code of {package}")
    return file, name


def _file_of(module: str, package: Path) -> Path | None:
    first, *rest = module.split(".")
    if first != package.name:
        return None
    whole = package.joinpath(*rest)
    candidates = (whole.with_name(f"{whole.name}.py"), whole / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)
