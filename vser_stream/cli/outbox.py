"""``vser-stream outbox``: what waits for the broker."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.database_reader import KeptFile, in_use
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.cli._database import at, database
from vser_stream.cli._options_agent import OfAgent
from vser_stream.config.loader import load
from vser_stream.core.wire.documents import told_late
from vser_stream.errors import MessageRefusedError, UserError

__all__ = ["app"]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

app = typer.Typer(help="Messages waiting for the broker.", no_args_is_help=True)


@app.callback()
def outbox() -> None:
    """Messages waiting for the broker."""


@app.command("ls")
def list_all(config: OfAgent, as_json: AsJson = False) -> None:
    """List what waits, in the order of sending; may be asked while the agent runs."""
    table = Table("id", "since", "priority", "topic", "bytes")
    with KeptFile(database(load(config))) as file:
        rows = file.waiting()
    for name, since, priority, topic, size in rows:
        if as_json:
            told = {"id": name, "since": at(since), "priority": priority, "topic": topic, "bytes": size}
            print(json.dumps(told))
        else:
            table.add_row(name, at(since), str(priority), topic, str(size))
    if not as_json:
        Console().print(table)


@app.command()
def flush(config: OfAgent, as_json: AsJson = False) -> None:
    """Publish what waits now, while the agent is stopped.

    Exit code 2 while the agent runs, 5 if the broker is away or refuses a message; what was not
    published stays.
    """
    settings = load(config)
    path = database(settings)
    if not path.exists() or in_use(path):
        raise UserError(f"{path}: is missing or in use; a running agent publishes by itself, stop it first")
    with KeptFile(path), SqliteOutbox(path) as outbox:  # the first refuses what a newer agent wrote
        publisher = MqttPublisher(settings.mqtt, client_id=f"vser-{settings.site}")
        sent, refused = asyncio.run(_publish(outbox, publisher))
        left = len(outbox)
    print(json.dumps({"sent": sent, "left": left}) if as_json else f"{sent} messages delivered, {left} left")
    if refused is not None:
        raise refused


async def _publish(outbox: SqliteOutbox, publisher: MqttPublisher) -> tuple[int, MessageRefusedError | None]:
    """Publish what the broker takes; return how many, and why it refused another.

    Raises:
        PublishError: It is away.
    """
    sent, refused = 0, None
    topics: set[str] = set()
    async with publisher as connection:
        while (message := outbox.next(time.time(), skip=topics)) is not None:
            try:
                await connection.publish(told_late(message, time.time()))
            except MessageRefusedError as exc:
                topics.add(message.topic)
                refused = exc
            else:
                outbox.delete(message.id)
                sent += 1
    return sent, refused
