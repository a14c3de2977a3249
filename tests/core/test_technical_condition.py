from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from vser_stream.core import technical_condition
from vser_stream.core.technical_condition import Condition, ConditionName

PACKAGE = Path(technical_condition.__file__).parents[1]


def test_each_name_is_a_word_of_the_wire() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in ConditionName)
    assert len({*ConditionName}) == len(ConditionName.__members__)


@pytest.mark.parametrize("name", ConditionName)
def test_each_condition_is_told_by_somebody(name: ConditionName) -> None:
    """A name that nothing tells of would stand in the documents and never come."""
    told = f"ConditionName.{name.name}"
    elsewhere = [path for path in PACKAGE.rglob("*.py") if path != Path(technical_condition.__file__)]
    assert any(told in path.read_text() for path in elsewhere)


def test_the_priority_of_each_is_one_of_the_two_below_an_alarm() -> None:
    """Wherever a condition is made, its priority is medium or low, as its annotation says."""
    given = [
        node.args[1].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Condition"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    ]
    assert set(given) == {"medium", "low"}


def test_two_that_say_the_same_are_the_same() -> None:
    one = Condition(ConditionName.DISK, "low", 5.0, "the disk is full")
    assert one == Condition(ConditionName.DISK, "low", 5.0, "the disk is full")
    assert one != Condition(ConditionName.DISK, "low", 6.0, "the disk is full")
    assert len({one, Condition(ConditionName.DISK, "low", 5.0, "the disk is full")}) == 1
