"""``vser-stream watch``: a site live in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from vser_stream.adapters.mqtt.client import MqttPublisher, Received
from vser_stream.adapters.system.untrusted_text import parse_json, printable
from vser_stream.cli._dashboard import Board
from vser_stream.cli._options_site import at_site
from vser_stream.config.schema import MqttConfig
from vser_stream.core.wire import topics
from vser_stream.errors import PublishError, UserError
from vser_stream.runtime.delivery.delivery import backoff

__all__ = ["watch"]

REDRAW, CLOCK = 0.25, 1.0
"""At most, and at least, this often (s): an SSH session over a telephone keeps up."""


@at_site
def watch(
    broker: MqttConfig,
    site: str,
    as_json: Annotated[bool, typer.Option("--json", help="Each message as a line of JSON.")] = False,
) -> None:
    """Show sources, alarms and their reasons as they happen; Ctrl-C ends it.

    A terminal that cannot draw (TERM=dumb) gets a line for each change.
    """
    if as_json:
        asyncio.run(_until_interrupted(_follow(broker, site, _print, _warn)))
        return
    if not sys.stdout.isatty():
        raise UserError("the live view needs a terminal; use --json in a pipe")
    board = Board(site)
    if Console().is_dumb_terminal:
        lines = _Lines(board)
        asyncio.run(_until_interrupted(_follow(broker, site, lines.feed, lines.link)))
        return
    asyncio.run(_until_interrupted(_show(broker, board)))


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C is the good end of a view."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


async def _show(broker: MqttConfig, board: Board) -> None:
    changed = asyncio.Event()

    def message(received: Received) -> None:
        board.feed(received.topic, received.payload)
        changed.set()

    def link(problem: str) -> None:
        board.link = problem
        changed.set()

    console = Console()
    following = asyncio.create_task(_follow(broker, board.site, message, link))
    following.add_done_callback(lambda _: changed.set())
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not following.done():
                changed.clear()
                live.update(board.render(height=console.height), refresh=True)
                await asyncio.sleep(REDRAW)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CLOCK):
                        await changed.wait()
    finally:
        following.cancel()
    following.result()


class _Lines:
    """A line for each change of a board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._told: dict[str, str] = {}

    def feed(self, received: Received) -> None:
        """Take a message."""
        self._board.feed(received.topic, received.payload)
        for what, line in self._changeable():
            if self._told.get(what) != line:
                self._told[what] = line
                self._say(line)

    def link(self, problem: str) -> None:
        """Whether anything is current."""
        self._say(f"not connected, nothing below is current: {problem}" if problem else "connected")

    def _changeable(self) -> Iterator[tuple[str, str]]:
        """Everything that may change, with what names it."""
        board = self._board
        yield "status", f"{board.site}: {board.status}"
        for alert in reversed(board.alerts):
            rationale = f"{alert.reason}. {alert.rationale}"
            yield alert.id, f"{alert.source}: ALARM {alert.event}, {alert.label}: {rationale}"
        for source, health in board.healths.items():
            yield f"{source}/health", f"{source}: capture {health.capture}"
            for condition in health.conditions:
                yield f"{source}/{condition.name}", f"{source}: {condition.name}: {condition.reason}"
        for source, state in board.states.items():
            wanted = f", vser-stream ack {state.alert_id[:8]}" if state.alert_id else ""
            yield f"{source}/state", f"{source}: {state.condition}, signal {state.signal}{wanted}"

    def _say(self, line: str) -> None:
        print(time.strftime("%H:%M:%S"), printable(line), flush=True)


async def _follow(
    broker: MqttConfig, site: str, on_message: Callable[[Received], None], on_link: Callable[[str], None]
) -> None:
    """Hand on what arrives, over one connection after another; never ends.

    Raises:
        PublishError: Not even the first connection comes about.
    """
    failures, connected = 0, False
    while True:
        try:
            async with MqttPublisher(broker) as connection:
                await connection.subscribe(topics.everything(site))
                connected, failures = True, 0
                on_link("")
                async for received in connection.received():
                    on_message(received)
                raise await connection.closed()
        except PublishError as exc:
            if not connected:
                raise
            on_link(str(exc))
        failures += 1
        await asyncio.sleep(backoff(failures, random.random()))  # noqa: S311 - no secret


def _print(received: Received) -> None:
    try:
        document = parse_json(received.payload)
    except ValueError:
        document = received.payload.decode(errors="replace")
    line = {"topic": received.topic, "retained": received.retain, "payload": document}
    print(json.dumps(line), flush=True)


def _warn(problem: str) -> None:
    print(f"vser-stream: {problem or 'connected'}", file=sys.stderr)
