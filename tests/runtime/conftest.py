"""Fixtures of the tests of delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.delivery import Subscriber, listening

from vser_stream.adapters.storage.outbox import SqliteOutbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    with SqliteOutbox(path) as outbox:
        yield outbox


@pytest.fixture
async def subscriber(server: Mosquitto) -> AsyncIterator[Subscriber]:
    async with listening(server) as subscriber:
        yield subscriber
