"""Every field of the configuration's schema, and what nobody should write there."""

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vser_stream.config.schema import Config

__all__ = ["EXTREMES", "Place", "fields", "limits_of", "with_value"]

Place = tuple[str | int, ...]

NUMBERS: list[Any] = [
    0, -1, 1, 2, 0.5, -0.0, 5e-324, 1e-308, 1e-9, 60, 3600, 1e9, 1e308, -1e308, math.inf, -math.inf, math.nan,
    2**31, 2**63, 10**400, True, False,
]  # fmt: skip
TEXTS = [
    "", " ", "a", "x" * 300, "x" * 70_000, "\x1b[31mred", "a\tb", "\u202eabc", "phòng-ngủ", "\u0663",
    "1883", "nan", "true", "broker..x", ".", "..", "a.", "-a", "a-", "a_b.local", "h:1883", "h h",
    "999.1.1.1", "::1", "[::1]", "fe80::1%lo", "mqtt://h", "xn--a", "http://[::1", "http://h:99999/v1",
    "http://h:x/v1", "http://:1/v1", "http://h/v1?key=s3cret", "http://u:s3cret@h/v1",
    "HTTP://127.0.0.1:9/v1", "https://[::1]:9/v1", "http://h h/", "http://\u2100.example/v1", "rtsp://",
    "rtsp://h", "RTSP://h:1/s", "rtsps://[::1]:1/x", "rtsp://h:0/", "rtsp://h:70000/", "rtsp://h:\u0663/",
    "rtsp://[::1/x", "rtsp://u:s3cret@t/#x@cam/", "rtsp://h/x y", "rtsp:///x", "~/x", "~no-such-user/x",
    "$HOME/x", "$NO_SUCH/x", "/dev/zero", "/dev/null", "/", "pipe", "folder", "file", "no/such",
    "a" * 5000, "+/#", "a/b", "a//b", "/a", "#", "$SYS", "none", "bundled", "gguf", "server", "lan",
    "any", "vi", "udp", "0" * 64,
]  # fmt: skip
OTHERS: list[Any] = [
    [], {}, [[]], [{}], ["x"], [1, 1], [2, 1], [1, 2], [1e308], [5e-324], [math.nan], [1] * 5000, {"a": 1},
    [{"name": "a"}], dt.date(2026, 1, 1), dt.datetime(1, 1, 1, tzinfo=dt.UTC),
]  # fmt: skip
EXTREMES = [*NUMBERS, *TEXTS, *OTHERS]


def fields(model: type[BaseModel] = Config, at: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Each table and each key of the schema, so that a new one is tried by itself."""
    for name, field in model.model_fields.items():
        place = (*at, name)
        yield place, field
        inside = field.annotation
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            yield from fields(inside, place)
        elif (parts := get_args(inside)) and isinstance(parts[0], type) and issubclass(parts[0], BaseModel):
            yield from fields(parts[0], (*place, 0))


def limits_of(field: FieldInfo) -> list[Any]:
    """The limits of a number, and the next number beyond each."""
    found = [
        getattr(one, bound)
        for one in field.metadata
        for bound in ("ge", "gt", "le", "lt")
        if hasattr(one, bound)
    ]
    beyond = [math.nextafter(one, way) for one in found for way in (-math.inf, math.inf)]
    return [*found, *beyond, *(one + step for one in found if isinstance(one, int) for step in (-1, 1))]


def with_value(document: Any, place: Place, value: object) -> Any:
    """A copy of a document with a value at a place."""
    if not place:
        return value
    key, *rest = place
    if isinstance(key, int):
        return [with_value(document[0], tuple(rest), value)]
    return {**document, key: with_value(document.get(key, {}), tuple(rest), value)}
