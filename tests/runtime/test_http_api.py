from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vser_stream.runtime.http_api import _pages


@pytest.mark.parametrize(
    ("heard", "status"),
    [
        ([], HTTPStatus.SERVICE_UNAVAILABLE),
        ([True, False], HTTPStatus.SERVICE_UNAVAILABLE),
        ([True, True], HTTPStatus.OK),
    ],
)
async def test_it_is_ready_once_every_source_is_heard_and_not_before_there_is_one(
    heard: list[bool], status: HTTPStatus
) -> None:
    sources = [SimpleNamespace(name=str(number), heard=one) for number, one in enumerate(heard)]
    overview, watchdog = SimpleNamespace(listeners=sources), SimpleNamespace(hanging=[])
    answer = await _pages(cast("Any", overview), cast("Any", watchdog))["/readyz"]()
    assert answer.status is status
