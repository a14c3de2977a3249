"""Every measured number says its unit, every array its shape.

A float field of a public dataclass has a docstring below it with a unit or a range; an array field has its
shape there. An alias such as ``Pcm`` whose own docstring states a shape speaks for its fields.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vser_stream

PACKAGE = Path(vser_stream.__file__).parent

UNITS = (
    "s|ms|min|h|d|1/d|1/h|Hz|kHz|dB|dB/s|dB re full scale|samples|semitones|MB|MiB|bytes|percent|%|words|"
    "probability|utterances|standard deviations|calm standard deviations|nats|log odds|distress|weights"
)
UNIT = re.compile(
    rf"\((?:[^()]* )?(?:{UNITS})\)|\b(?:[Ff]rom|between) -?\d[\d.]* (?:to|and) \d|``unit``|\bdimensionless\b"
    r"|\b[Pp]robabilit(?:y|ies)\b|\b[Ss]hares?\b|\b[Ff]actors?\b"
)
SHAPE = re.compile(r"\b[Ss]hape \([^()]*\)")
FLOATS = re.compile(r"\bfloat\b")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text())


TREES = tuple(trees())


def documented(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Name, annotation or value, and the docstring below, of each assignment."""
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, said = node.target.id, ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, said = node.targets[0].id, ast.unparse(node.value)
        else:
            continue
        after = body[place + 1] if place + 1 < len(body) else None
        text = (
            after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        )
        yield name, said, text if isinstance(text, str) else ""


def open_aliases() -> frozenset[str]:
    """Names of arrays that leave the shape to the field."""
    said = [one for _, tree in TREES for one in documented(tree.body) if one[1].startswith("NDArray[")]
    return frozenset(name for name, _, text in said if not SHAPE.search(text)) | {"NDArray", "ndarray"}


ARRAYS = open_aliases()


def missing(annotation: str, text: str) -> str | None:
    """What a field's docstring does not say; None when nothing is missing."""
    words = set(re.findall(r"\w+", annotation))
    if "Callable" in words:
        return None
    if words & ARRAYS:
        return None if SHAPE.search(text) else "shape"
    return None if not FLOATS.search(annotation) or UNIT.search(text) else "unit"


def faults() -> Iterator[str]:
    classes = (
        (path, node) for path, tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    for path, node in classes:
        is_dataclass = any("dataclass" in ast.unparse(one) for one in node.decorator_list)
        if node.name.startswith("_") or not is_dataclass:
            continue
        for name, annotation, text in documented(node.body):
            if not name.startswith("_") and (fault := missing(annotation, text)):
                yield f"{path}: {node.name}.{name}: {annotation}: no {fault}"


def test_every_public_field_states_its_unit_or_shape() -> None:
    found = list(faults())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        ("float", "", "unit"),
        ("float | None", "How loud it was.", "unit"),
        ("dict[str, float]", "By label.", "unit"),
        ("NDArray[np.float64]", "One row a clip.", "shape"),
        ("Pcm | _Floats", "One row a clip.", "shape"),
        ("float", "Wall time (s).", None),
        ("NDArray[np.float64]", "One row a clip, shape (n, 3).", None),
        ("Pcm", "As captured.", None),
        ("int", "", None),
    ],
)
def test_the_rule_bites(annotation: str, text: str, fault: str | None) -> None:
    assert missing(annotation, text) == fault
