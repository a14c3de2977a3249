"""``vser-stream doctor``: whether this box can do its work, step by step."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from vser_stream import __version__
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.adapters.mqtt.check import connects, encrypts, resolves
from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.rulebook import RuleShelf, shelf_of
from vser_stream.adapters.system.host import clock_is_synchronised, clock_jump, free_space, sync_time
from vser_stream.cli._checklist import TO_DO, Checklist, DoubtError, Finding, Verdict
from vser_stream.cli._options_agent import OfAgent
from vser_stream.cli.about import libraries
from vser_stream.cli.probe import listen, reach
from vser_stream.config.loader import load
from vser_stream.config.schema import AlarmConfig, Config, PipelineConfig, ReasonerConfig, SourceConfig
from vser_stream.core.alarm.room_adaptation import Room, thresholds_of
from vser_stream.core.alarm.threshold_curve import Curves
from vser_stream.core.audio.probe_report import Survey
from vser_stream.core.reason.arbitrate import History
from vser_stream.core.wire import topics
from vser_stream.core.wire.home_assistant import discovery_messages
from vser_stream.errors import ConfigError, PublishError, VserError
from vser_stream.runtime.build import Engine, model_of
from vser_stream.runtime.reasoning.reasoners import reasoner_of, standing_by
from vser_stream.runtime.source.audio_source import source_of
from vser_stream.runtime.watch.selftest import rehearse
from vser_stream.values import Decision, Message

__all__ = ["doctor"]

LISTEN = 2.0
"""Time to listen to each source (s)."""

ROOM, LITTLE_ROOM = 20e6, 200e6
"""An outbox that is full needs some 20 MB; below ten times this somebody should look (bytes)."""

SLOW_DISK = 0.2
"""A healthy flash card syncs within some ten milliseconds (s)."""

BUILT = 2026
"""No clock that is right says less (year)."""

Connect = Callable[..., MqttPublisher]

COLOURS = {Verdict.OK: "green", Verdict.WARN: "bold yellow", Verdict.FAIL: "bold red"}

LARGEST_ALERT = 4096
"""With all its reasons (bytes)."""

JUMP = 0.05
"""A clock that is steered, and not set, moves less in half a second (s)."""


def doctor(
    config: OfAgent,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Examine this box: Python, model, rules, reasoner, sources, broker, clock, disk; say what to do.

    Exit code 6 if anything fails. What the broker takes is tried on topics of their own, .../selftest,
    to which nobody listens; sources are opened, so a microphone only one program may use must be free.
    Passwords are never shown.
    """
    checklist = Checklist(_print_nothing if as_json else _print_finding)
    _examine_software(checklist)
    settings = checklist.step("configuration", partial(load, config), lambda one: f"site {one.site}")
    _examine_judgement(checklist, settings or PipelineConfig())
    if settings is not None:
        for source in settings.sources:
            _examine_source(checklist, source)
        _examine_broker(checklist, settings)
    _examine_clock(checklist)
    if settings is not None:
        _examine_disk(checklist, settings.state_path)
    if as_json:
        findings = [asdict(one) for one in checklist.findings]
        print(json.dumps({"ok": not checklist.of(Verdict.FAIL), "findings": findings}))
    else:
        _sum_up(checklist)
    if checklist.of(Verdict.FAIL):
        raise typer.Exit(TO_DO)


def _examine_software(checklist: Checklist) -> None:
    checklist.step("python", platform.python_version)
    checklist.step("packages", _packages)


def _packages() -> str:
    try:
        return ", ".join(f"{one.name} {one.version}" for one in libraries(optional=False))
    except metadata.PackageNotFoundError as exc:
        raise ConfigError(f"{exc.name} is not installed; install vser-stream again") from exc


def _examine_judgement(checklist: Checklist, config: PipelineConfig) -> None:
    model = checklist.step(
        "model", partial(model_of, config), lambda one: f"{one.name} {one.version}, verified"
    )
    if model is not None and isinstance(config, Config):
        _examine_alarms(checklist, config, model.curves)
    rules = checklist.step("rules", partial(shelf_of, config), _book)
    if model is None or rules is None:
        return
    decider = Engine(config, model, rules, reasoner=None, pitch=SwiftF0Tracker()).decider()
    decision = checklist.step(
        "voice activity and features",
        lambda: rehearse(decider, WebRtcVad()),
        lambda _: "self-test: a synthetic utterance was classified",
    )
    if decision is not None:
        checklist.step("reasoner", partial(_reason, config.reasoner, rules, decision))


def _examine_alarms(checklist: Checklist, settings: Config, curves: Curves) -> None:
    for source in settings.sources:
        alarm = settings.alarm_of(source)
        checklist.step(f"alarm of {source.name}", partial(_thresholds, alarm, curves))


def _thresholds(alarm: AlarmConfig, curves: Curves) -> str:
    """Of a room of which nothing is known."""
    return "; ".join(
        f"{it.level} from distress {it.usual:.1f} ({it.reason})"
        for it in thresholds_of(alarm, curves, Room())
    )


def _book(shelf: RuleShelf) -> str:
    book = shelf.writer().book
    return f"{book.name} {book.version}, {len(book.rules)} rules"


def _reason(config: ReasonerConfig, shelf: RuleShelf, decision: Decision) -> str:
    if not config.is_wanted:
        return "disabled: low-confidence utterances are decided by the SVM"
    reasoner = reasoner_of(config, shelf.writer)
    if reasoner is None:
        raise DoubtError(
            "llama.cpp or its model is missing; the SVM decides instead; install vser-stream[llm]"
        )
    with standing_by(reasoner):
        case = History().case(decision, shelf.writer().book)
        began = time.monotonic()
        reasoner.judge(case, within=config.deadline)
        took = 1000 * (time.monotonic() - began)
        return f"{reasoner.version} classified a synthetic utterance in {took:.0f} ms"


def _examine_source(checklist: Checklist, config: SourceConfig) -> None:
    steps = Checklist(lambda one: checklist.add(replace(one, name=f"source {config.name}: {one.name}")))
    with suppress(VserError):  # the step that failed has been told
        source = source_of(config)
        if isinstance(source, RtspCamera):
            reach(source, steps)
        survey = listen(source, LISTEN, steps, meter=False)
        steps.step("sound", partial(_sound, survey))


def _sound(survey: Survey) -> str:
    if survey.faults:
        raise DoubtError(survey.verdict)
    return survey.verdict


def _examine_broker(checklist: Checklist, settings: Config) -> None:
    # Under the daemon's own client id the broker would hang up on it.
    broker = settings.mqtt
    connect = partial(MqttPublisher, broker, client_id=f"vser-{settings.site}-doctor")
    tests = [topics.selftest(settings.site, source.name) for source in settings.sources]
    steps: dict[str, Callable[[], str]] = {
        "name resolves": partial(resolves, broker),
        "TCP connects": partial(connects, broker),
        "TLS": partial(encrypts, broker),
        "login": _running(_log_in, connect, tests[0]),
    }
    for name, work in steps.items():
        checklist.step(f"broker: {name}", work)
        if checklist.findings[-1].verdict is Verdict.FAIL:
            return
    for topic in tests:
        checklist.step(f"broker: may publish {topic}", _running(_tell, connect, topic))
    if checklist.findings[-1].verdict is not Verdict.FAIL:
        for what, size in _sizes(settings).items():
            checklist.step(f"broker: takes {what}", _running(_fill, connect, tests[-1], size))
    commands = topics.commands_below(settings.site)
    checklist.step(f"broker: may read {commands}", _running(_ask, connect, commands))


def _sizes(settings: Config) -> dict[str, int]:
    """What is to be sent, and how large it may be (bytes)."""
    sizes = {"an alert": LARGEST_ALERT}
    if settings.homeassistant.enabled:
        documents = discovery_messages(
            settings.site,
            [source.name for source in settings.sources],
            prefix=settings.homeassistant.prefix,
            version=__version__,
            health_every=settings.publish.health_every,
            new_id=lambda: "",
        )
        sizes["Home Assistant's discovery"] = max(len(one.payload) for one in documents)
    return sizes


def _running(work: Callable[..., Coroutine[Any, Any, str]], *arguments: object) -> Callable[[], str]:
    """``work`` as a step that can be called, in an event loop of its own."""
    return lambda: asyncio.run(work(*arguments))


async def _log_in(connect: Connect, topic: str) -> str:
    """As the daemon does, with a last will; this one would only clear the topic of the test."""
    will = Message(topic, b"", 1, retain=True, id=uuid.uuid4().hex)
    async with connect(will=will) as publisher:
        protocol = "MQTT 5" if publisher.answers else "MQTT 3.1.1"
        lacks = [*publisher.limits.lacks()]
        if publisher.will_as_taken is None:
            lacks.append("accepts no last will: if this box dies, no one is notified; allow it")
    if lacks:
        raise DoubtError(f"{protocol}, but the broker {'; it '.join(lacks)}")
    return protocol


async def _tell(connect: Connect, topic: str) -> str:
    """Publish nothing, where nothing is retained."""
    nothing = Message(topic, b"", 1, retain=False, id=uuid.uuid4().hex, expires_at=time.time() + 1.0)
    async with connect() as publisher:
        await publisher.publish(nothing)
        if not publisher.answers:
            raise DoubtError(
                "accepted, but MQTT 3.1.1 does not report what an access list drops; subscribe to check"
            )
    return "accepted, and so are alerts unless an access list names each topic"


async def _fill(connect: Connect, topic: str, size: int) -> str:
    """Publish blanks."""
    blanks = Message(topic, b" " * size, 1, retain=False, id=uuid.uuid4().hex, expires_at=time.time() + 1.0)
    try:
        async with connect() as publisher:
            await publisher.publish(blanks)
    except PublishError as exc:
        raise DoubtError(f"{size} bytes are too many, so it is shortened or left out: {exc}") from exc
    return f"{size} bytes"


async def _ask(connect: Connect, topic: str) -> str:
    async with connect() as publisher:
        await publisher.subscribe(topic)
    return "not refused; Mosquitto accepts every subscription, but delivers only what its access list allows"


def _examine_clock(checklist: Checklist) -> None:
    checklist.step("clock", _clock, lambda now: f"{now:%Y-%m-%d %H:%M:%S} UTC, follows a time server")


def _clock() -> datetime:
    now = datetime.now(UTC)
    jump = clock_jump(0.5)
    if now.year < BUILT:
        raise ConfigError(f"the clock shows {now:%Y}: alerts would have wrong times; set it, or enable NTP")
    if jump > JUMP:
        raise DoubtError(f"the clock was set by {jump:.2f} s just now; wait until it has settled")
    synchronised = clock_is_synchronised()
    if not synchronised:
        why = "does not follow a time server" if synchronised is False else "does not say what it follows"
        raise DoubtError(f"{now:%Y-%m-%d %H:%M:%S} UTC, but it {why}; timedatectl set-ntp true")
    return now


def _examine_disk(checklist: Checklist, folder: Path) -> None:
    checklist.step("disk: space", partial(_space, folder))
    checklist.step("disk: sync", partial(_sync, folder))


def _space(folder: Path) -> str:
    free = free_space(folder)
    words = f"{free / 1e6:,.0f} MB free for {folder}"
    if free < ROOM:
        raise ConfigError(f"{words}; alerts are stored there while the broker is away: free some space")
    if free < LITTLE_ROOM:
        raise DoubtError(f"{words}; free some space soon")
    return words


def _sync(folder: Path) -> str:
    if not folder.exists():
        raise DoubtError(f"{folder} does not exist yet; the daemon creates it")
    if not os.access(folder, os.W_OK):
        raise DoubtError(f"{folder} is not writable for you, so not tested; run this as root")
    took = sync_time(folder)
    words = f"{1000 * took:.1f} ms for an fsync of 4 kB"
    if took > SLOW_DISK:
        raise DoubtError(f"{words}; an alert waits for each, so use a faster disk or check this one")
    return words


def _print_finding(finding: Finding) -> None:
    verdict = Text(f"{finding.verdict:5}", style=COLOURS[finding.verdict])
    rest = f"{finding.name}: {finding.detail} ({finding.ms:g} ms)"
    Console(soft_wrap=True).print(verdict.append(rest, style="not bold default"))


def _sum_up(checklist: Checklist) -> None:
    """What is not good once more, the worst last."""
    doubtful, failed = checklist.of(Verdict.WARN), checklist.of(Verdict.FAIL)
    if doubtful or failed:
        print()
    for finding in (*doubtful, *failed):
        _print_finding(finding)
    steps = f"{len(checklist.findings)} steps"
    if failed:
        print(f"{steps}, {len(failed)} failed: correct what they say, and run this again")
    elif doubtful:
        print(f"{steps}, none failed, {len(doubtful)} doubtful")
    else:
        print(f"{steps}, all good")


def _print_nothing(finding: Finding) -> None:
    """The JSON object holds all of them."""
