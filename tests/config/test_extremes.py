"""What the configuration takes can be used: each field of its schema with values nobody should write."""

import contextlib
import functools
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import decision
from support.extremes import EXTREMES, Place, fields, limits_of, with_value

from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.adapters.mqtt.login import secrets
from vser_stream.config.loader import checked
from vser_stream.config.schema import AlarmConfig, Config, SegmentConfig
from vser_stream.core.alarm import state_machine
from vser_stream.core.alarm.state import AlarmState
from vser_stream.core.audio.segment import Segmenter
from vser_stream.core.reason.writer import Writer
from vser_stream.core.wire.documents import utc
from vser_stream.core.wire.home_assistant import discovery_messages
from vser_stream.errors import CaptureError, ConfigError, PublishError
from vser_stream.runtime.delivery.retention import DAY
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.reasoning.reasoners import reasoner_of
from vser_stream.runtime.source.audio_source import source_of
from vser_stream.values import FRAME, RATE, Frame

BASE: dict[str, Any] = {
    "site": "home-1",
    "mqtt": {"host": "127.0.0.1", "username": "u"},
    "sources": [{"name": "bedroom", "url": "rtsp://127.0.0.1:9/x", "username": "u"}],
    "reasoner": {"backend": "server", "url": "http://127.0.0.1:9/v1"},
}
FIELDS = dict(fields())
NOTHING = np.zeros(FRAME, np.int16)
LOUD = np.full(FRAME, 9000, np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config")
    os.mkfifo(path / "pipe")
    (path / "folder").mkdir()
    (path / "file").write_text("s3cret\n")
    return path


def loaded(folder: Path, document: dict[str, Any]) -> Config | None:
    """The configuration, or None where it is refused: in one line that tells no secret."""
    try:
        return checked(document, folder / "vser.toml")
    except ConfigError as exc:
        said = str(exc)
    assert said.isprintable(), said
    assert "s3cret" not in said or "may hold only" in said  # a name is no secret
    assert len(said) < 1200
    return None


def use(config: Config) -> None:
    """Make everything a configuration is for, and let it work for a while."""
    json.dumps(config.model_dump(mode="json"))
    with contextlib.suppress(PublishError):
        secrets(config.mqtt)
    for host in (config.mqtt.host, config.http.host):
        with contextlib.suppress(socket.gaierror):
            socket.getaddrinfo(host, config.mqtt.port, flags=socket.AI_NUMERICHOST)
    for source in config.sources:
        made = source_of(source)
        if isinstance(made, RtspCamera):
            made.host_and_port()
            with contextlib.suppress(CaptureError):
                made._login()  # noqa: SLF001 - as the camera is told
    told = discovery_messages(
        config.site,
        [source.name for source in config.sources],
        prefix=config.homeassistant.prefix,
        version="1",
        health_every=config.publish.health_every,
        new_id=lambda: "m",
    )
    for message in told:
        assert not set("+#\0 ") & set(message.topic)
        assert all(message.topic.split("/"))
    utc(time.time() - config.privacy.evidence_days * DAY)
    assert config.publish.health_every >= 1.0, "a busy loop"
    assert config.mqtt.timeout >= 0.1
    cut(config.segment)
    live(config.alarm)
    with contextlib.suppress(ConfigError):
        reasoner = reasoner_of(config.reasoner, Writer)
        if reasoner is not None:
            Escalation(reasoner, Writer, config.reasoner).close()


@functools.cache
def cut(config: SegmentConfig) -> None:
    """A minute of speech, then silence; an utterance stays as short as a scorer can bear."""
    segmenter = Segmenter(config)
    for place in range(60 * RATE // FRAME):
        pcm = LOUD if 20 < place < 60 * RATE // FRAME - 300 else NOTHING
        frame = Frame(pcm, start=place * FRAME, heard_at=place * FRAME / RATE)
        for segment in segmenter.feed(frame, is_speech=pcm is LOUD):
            assert len(segment.pcm) <= 40 * RATE
    segmenter.flush()


@functools.cache
def live(config: AlarmConfig) -> None:
    """A panic, its reminders, an acknowledgement, a pause, and a year later."""
    if config != config.unattended:
        live(config.unattended)
    state = AlarmState()
    now = 1e9
    for pause in (0.0, 1.0, 5.0, 40.0, 200.0, 3e3, 1e5, 3e7):
        now += pause
        state, _ = state_machine.step(
            state, decision(calm=0.0, angry=0.1, panic=0.9, at=now), now, config=config
        )
        state, _ = state_machine.tick(state, now + 0.5, config=config)
        state = state_machine.pause(state, now, for_s=config.longest_pause, by="a", config=config)
        state, _ = state_machine.acknowledge(state, now + 0.6, by="b", config=config)
        state, _ = state_machine.tick(state, now + 0.9, config=config, heard=False)


def taken(folder: Path, place: Place) -> Iterator[tuple[object, Config]]:
    """The values that one field does not refuse, each with the configuration it makes."""
    for value in (*EXTREMES, *limits_of(FIELDS[place])):
        config = loaded(folder, with_value(BASE, place, value))
        if config is not None:
            yield value, config


@pytest.fixture(scope="module")
def pool(folder: Path) -> dict[Place, list[object]]:
    """What may stand in each field."""
    return {place: [value for value, _ in taken(folder, place)] for place in FIELDS}


@pytest.mark.parametrize("place", FIELDS, ids=lambda place: ".".join(map(str, place)))
def test_each_field_refuses_in_one_line_or_can_be_used(folder: Path, place: Place) -> None:
    for _, config in taken(folder, place):
        use(config)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(list(FIELDS)), st.integers(0, 10_000), min_size=2, max_size=8))
def test_several_together_are_refused_or_can_be_used(
    folder: Path, pool: dict[Place, list[object]], chosen: dict[Place, int]
) -> None:
    document = BASE
    for place, number in chosen.items():
        if values := pool[place]:
            with contextlib.suppress(AttributeError, KeyError, TypeError, IndexError):  # no table any more
                document = with_value(document, place, values[number % len(values)])
    if config := loaded(folder, document):
        use(config)


def test_every_number_has_both_limits() -> None:
    endless = [
        ".".join(map(str, place))
        for place, field in FIELDS.items()
        if {int, float} & {field.annotation, *get_args(field.annotation)} and len(limits_of(field)) < 6
    ]
    assert endless == []
