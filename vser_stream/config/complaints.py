"""What is wrong with a configuration, in words: which key of which table, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["complaints"]

_Loc = tuple[int | str, ...]
_Context = Mapping[str, Any]

_MOST = 8
"""Told at once; who mends these sees the others next."""

_LONGEST_NAME = 40
"""Of what stands in the file and is repeated (characters)."""

_WORDS: dict[str, Callable[[_Context], str]] = {
    "string_type": lambda _: "give text, in quotes",
    "int_type": lambda _: "give a whole number, without quotes",
    "int_from_float": lambda _: "give a whole number",
    "float_type": lambda _: "give a number, without quotes",
    "bool_type": lambda _: "give true or false, without quotes",
    "path_type": lambda _: "give a path, in quotes",
    "tuple_type": lambda _: "give a list: [1.0, 2.0]",
    "greater_than_equal": lambda known: f"give at least {known['ge']:g}",
    "greater_than": lambda known: f"give more than {known['gt']:g}",
    "less_than_equal": lambda known: f"give at most {known['le']:g}",
    "less_than": lambda known: f"give less than {known['lt']:g}",
    "finite_number": lambda _: "give a finite number",
    "literal_error": lambda known: f"give {known['expected']}",
    "enum": lambda known: f"give {known['expected']}",
    "string_too_short": lambda _: "may not be empty",
    "string_too_long": lambda known: f"is longer than {known['max_length']} characters",
    "value_error": lambda known: str(known["error"]),
}
"""By the type of pydantic's error; where the limits are, the message is its own."""


def complaints(exc: ValidationError, model: type[BaseModel], document: Mapping[str, Any]) -> str:
    """Say what is wrong with a document of ``model``, in one line."""
    found = list(_complaints(exc, model, document))
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return "; ".join(found[:_MOST] + more)


def _complaints(exc: ValidationError, model: type[BaseModel], document: Mapping[str, Any]) -> Iterator[str]:
    errors = exc.errors(include_url=False, include_input=False)
    for error in errors:
        loc, kind = error["loc"], error["type"]
        if kind == "too_short" and any(other["loc"][:1] == loc for other in errors if other is not error):
            continue  # a source that failed its own check is not counted by pydantic
        where, key = _place(loc, document)
        if kind == "extra_forbidden":
            yield f"{where}unknown key {key[:_LONGEST_NAME]!r}{_nearest(loc, model)}"
        elif kind == "missing":
            yield f"{where}key {key!r} is missing"
        else:
            words = _WORDS.get(kind)
            said = _table(loc, kind) or (words(error.get("ctx", {})) if words else error["msg"])
            yield f"{where}{key}: {said}" if key else f"{where}{said}"


def _place(loc: _Loc, document: Mapping[str, Any]) -> tuple[str, str]:
    """Name the source an error is in, and the key inside it."""
    if len(loc) > 1 and loc[0] == "sources" and isinstance(loc[1], int):
        source = document["sources"][loc[1]]
        name = source.get("name") if isinstance(source, dict) else None
        told = repr(name[:_LONGEST_NAME]) if isinstance(name, str) else str(loc[1] + 1)
        return f"source {told}: ", _key(loc[2:])
    return "", _key(loc)


def _key(loc: _Loc) -> str:
    """``escalate_after.0`` as people count: ``escalate_after[1]``."""
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")


def _table(loc: _Loc, kind: str) -> str:
    """What to write where a value stands for a table, or a table for several."""
    if loc == ("sources",) and kind == "tuple_type":
        return "write [[sources]] with double brackets, once for each source"
    if loc == ("sources",) and kind == "too_short":
        return "give at least one [[sources]]"
    if kind != "model_type":
        return ""
    if loc[0] == "sources":
        return "write [[sources]], and its keys below it"
    if loc[0] == "alarm" and len(loc) == 2:  # noqa: PLR2004
        return f"is a table; to switch it off write [alarm.{loc[1]}], and below it enabled = false"
    return f"is a table; write [{_key(loc)}], and its keys below it"


def _nearest(loc: _Loc, model: Any) -> str:
    for part in loc[:-1]:
        if isinstance(part, str):
            model = _section(model.model_fields[part].annotation)
    near = difflib.get_close_matches(str(loc[-1]), model.model_fields, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(model.model_fields)}"


def _section(annotation: Any) -> Any:
    """The model inside ``tuple[Model, ...]``, or the model itself."""
    return next(iter(get_args(annotation)), annotation)
