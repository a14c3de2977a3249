"""Fixtures of the tests of delivery."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.delivery import Subscriber

from vser_stream.adapters.mqtt import Broker
from vser_stream.adapters.outbox import SqliteOutbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[SqliteOutbox]:
    with SqliteOutbox(path) as outbox:
        yield outbox


@pytest.fixture
async def subscriber(server: Mosquitto) -> AsyncIterator[Subscriber]:
    subscriber = Subscriber(Broker(server.host, server.port))
    task = asyncio.create_task(subscriber.run())
    await subscriber.listening.wait()
    yield subscriber
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
