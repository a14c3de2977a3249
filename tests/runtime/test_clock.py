"""What time it is comes from a port, so that a test can say so."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "vser_stream" / "runtime"


def looks_at_a_clock(source: str) -> Iterator[str]:
    """Calls that tell the time by themselves; a timer of the event loop is set in the loop's own time."""
    tree = ast.parse(source)
    timers = [node for node in ast.walk(tree) if _called(node) == "reschedule"]
    allowed = {id(inner) for timer in timers for inner in ast.walk(timer)}
    for node in ast.walk(tree):
        if _called(node) in {"time", "monotonic", "perf_counter"} and id(node) not in allowed:
            owner = ast.unparse(node.func.value) if isinstance(node, ast.Call) else ""  # type: ignore[attr-defined]
            if not owner.endswith("clock"):
                yield ast.unparse(node)


def _called(node: ast.AST) -> str:
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return node.func.attr if is_method else ""  # type: ignore[attr-defined]


def test_nobody_in_the_runtime_tells_the_time_but_by_the_port() -> None:
    found = {str(path): list(looks_at_a_clock(path.read_text())) for path in RUNTIME.rglob("*.py")}
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "source",
    ["now = time.time()", "x = time.monotonic() + 3", "asyncio.get_running_loop().time()", "loop.time() - a"],
)
def test_the_rule_bites(source: str) -> None:
    assert len(list(looks_at_a_clock(source))) == 1
