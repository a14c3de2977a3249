"""The parts of the daemon know each other one way: nobody is known by what it knows."""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from vser_stream.config.schema import Config, MqttConfig, ReasonerConfig, SourceConfig
from vser_stream.runtime.assembly import assemble


def known_by(thing: object) -> Iterator[object]:
    """What an object holds on to, as far as it is ours or leads to what is ours."""
    match thing:
        case Mapping():
            yield from thing.values()
        case list() | tuple() | set() | frozenset() | deque():
            yield from thing
        case functools.partial():
            yield from (thing.func, *thing.args, *thing.keywords.values())
        case types.MethodType():
            yield thing.__self__
        case types.FunctionType():
            yield from (cell.cell_contents for cell in thing.__closure__ or ())
        case _ if is_ours(thing):
            slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
            yield from (getattr(thing, name) for name in slots if hasattr(thing, name))
            yield from getattr(thing, "__dict__", {}).values()
        case _:
            pass


def is_ours(thing: object) -> bool:
    return type(thing).__module__.startswith(("vser_stream", __name__)) and not isinstance(thing, type)


def circle(thing: object, above: tuple[object, ...] = (), seen: set[int] | None = None) -> list[str]:
    """The kinds of objects from one back to itself; empty where there is none."""
    seen = set() if seen is None else seen
    for place, other in enumerate(above):
        if other is thing:
            return [type(one).__name__ for one in (*above[place:], thing) if is_ours(one)]
    if id(thing) in seen:
        return []
    seen.add(id(thing))
    for one in known_by(thing):
        if found := circle(one, (*above, thing), seen):
            return found
    return []


class Knowing:
    def __init__(self) -> None:
        self.other: object = None


def test_a_circle_is_found_through_lambdas_methods_and_lists() -> None:
    for carried in (lambda one: lambda: one, lambda one: one.__init__, lambda one: [{"it": one}]):
        one, other = Knowing(), Knowing()
        one.other = carried(other)
        assert circle(one) == []
        other.other = one
        assert circle(one) == ["Knowing", "Knowing", "Knowing"]


async def test_no_part_of_the_daemon_is_known_by_what_it_knows(tmp_path: Path) -> None:
    config = Config(
        site="home",
        mqtt=MqttConfig(host="127.0.0.1"),
        state_dir=tmp_path,
        sources=(SourceConfig(name="bed", device="none of that name"),),
        reasoner=ReasonerConfig(backend="none"),
    )
    parts = assemble(config)
    parts.roster.apply(config.sources)
    (listener,) = parts.roster.listeners
    assert circle(parts) == []
    assert circle(listener) == []
    listener.stop()
    await parts.roster.run()
    parts.scorer.shutdown(wait=False)
