from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.broker import Mosquitto, free_port
from support.command import vser_stream
from support.ward import NoFeedback, Ward, Wards

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.core.wire.documents import message_of
from vser_stream.errors import CommandError
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.inbox import Inbox
from vser_stream.runtime.remote.command_desk import CommandDesk

Run = Callable[..., Awaitable[CompletedProcess[str]]]


@contextlib.asynccontextmanager
async def on_duty(server: Mosquitto, ward: Ward) -> AsyncIterator[Run]:
    """The ward listens; yields what runs a command against its site."""

    async def run(*arguments: str) -> CompletedProcess[str]:
        where = ["--host", server.host, "--port", str(server.port), "--site", "home"]
        return await asyncio.to_thread(vser_stream, *arguments, *where)

    desk = CommandDesk("home", Wards([ward]), feedback=NoFeedback())
    broker = MqttConfig(host=server.host, port=server.port)
    inbox = Inbox(["vser/v1/home/+/cmd/+"], lambda: MqttPublisher(broker), receiver=desk, access=Access())
    async with MqttPublisher(broker) as connection:
        await connection.publish(message_of(ward.state(), "s1"))
        attending = asyncio.create_task(inbox.attend(connection))
        yield run
        attending.cancel()


async def test_an_alarm_is_acknowledged_by_the_first_characters_of_its_id(server: Mosquitto) -> None:
    ward = Ward()
    async with on_duty(server, ward) as run:
        done = await run("ack", "a1b2", "--by", "Ana")
        again = await run("ack", "a1b2", "--seq", "3", "--by", "Ana")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ack bed: done; no alarm\n", "")
    assert again.returncode == 2
    assert ward.asked == ["acknowledge a1b2c3 seq 1 by Ana"]


async def test_an_unknown_alarm_is_told_with_those_that_are_open(server: Mosquitto) -> None:
    async with on_duty(server, Ward()) as run:
        done = await run("ack", "f00")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("vser-stream: 0 open alarms at home begin with 'f00'; open: a1b2c3 (bed)\n")


async def test_a_pause_is_asked_for_and_a_refusal_told(server: Mosquitto) -> None:
    ward = Ward()
    async with on_duty(server, ward) as run:
        paused = await run("pause", "bed", "--minutes", "10", "--by", "Ana")
        resumed = await run("resume", "bed", "--by", "Ana")
        too_long = await run("pause", "bed", "--minutes", "1000")
        nowhere = await run("pause", "attic", "--minutes", "10")
    assert (paused.returncode, paused.stdout) == (0, "pause bed: done; panic alarm, signal on\n")
    assert (resumed.returncode, resumed.stderr) == (
        2,
        "vser-stream: resume bed: bed is not paused; nothing to do\n",
    )
    assert too_long.returncode == nowhere.returncode == 2
    assert "less than or equal to 240" in too_long.stderr
    assert "no source 'attic' here; sources: bed" in nowhere.stderr
    assert ward.asked == ["pause 600 s by Ana", "resume"]


async def test_nothing_in_an_answer_steers_the_terminal(server: Mosquitto) -> None:
    class Stranger(Ward):
        async def resume(self) -> bool:
            raise CommandError("\x1b[2J done")

    async with on_duty(server, Stranger()) as run:
        done = await run("resume", "bed")
    assert (done.returncode, done.stderr) == (2, "vser-stream: resume bed: \ufffd[2J done\n")


def test_nobody_there_is_told_and_is_code_5(server: Mosquitto) -> None:
    where = ["--host", server.host, "--port", server.port, "--site", "home"]
    silent = vser_stream("resume", "bed", *where, "--wait", 1)
    assert silent.returncode == 5
    assert "no answer from home/bed within 1 s; check with vser-stream watch" in silent.stderr
    away = vser_stream("resume", "bed", "--host", server.host, "--port", free_port(), "--site", "home")
    assert away.returncode == 5
    assert "refuses connections" in away.stderr


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["resume", "+"], "vser-stream: no source '+'; give its name as the configuration has it\n"),
        (
            ["pause", "bed", "--minutes", "1", "--by", "a\x1b"],
            "vser-stream: by 'a\\x1b': String should match",
        ),
    ],
)
def test_what_cannot_be_asked_is_one_line(server: Mosquitto, asked: list[str], told: str) -> None:
    done = vser_stream(*asked, "--host", server.host, "--port", server.port, "--site", "home")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(told)


def test_it_must_be_said_where() -> None:
    done = vser_stream("resume", "bed", "--host", "127.0.0.1")
    assert (done.returncode, done.stderr) == (
        2,
        "vser-stream: no site given; use --config FILE, or --host and --site\n",
    )


def test_the_configuration_says_where_and_as_whom(tmp_path: Path) -> None:
    users = {"home": "box", "ana": "nurse"}
    acl = "pattern readwrite vser/v1/%u/#\nuser ana\ntopic read vser/#\n"
    (tmp_path / "vser.toml").write_text(
        'site = "home"\n[mqtt]\nhost = "127.0.0.1"\nport = PORT\nusername = "home"\npassword_file = "box"\n'
        '[[sources]]\nname = "bed"\ndevice = "default"\n'
    )
    for name, password in (("box", "box"), ("nurse", "nurse"), ("wrong", "x")):
        (tmp_path / name).write_text(password)
    with Mosquitto(tmp_path, users=users, acl=acl) as server:
        config = tmp_path / "vser.toml"
        config.write_text(config.read_text().replace("PORT", str(server.port)))
        as_box = vser_stream("resume", "bed", "--config", config, "--wait", 1)
        as_nurse = vser_stream(
            "resume", "bed", "--config", config, "--username", "ana", "--password-file", tmp_path / "nurse"
        )
        as_nobody = vser_stream(
            "resume", "bed", "--config", config, "--username", "ana", "--password-file", tmp_path / "wrong"
        )
    assert "no answer" in as_box.stderr
    assert 'below "user ana": "topic write vser/v1/home/bed/cmd/resume"' in as_nurse.stderr
    assert "check username, password_file" in as_nobody.stderr
    assert {as_box.returncode, as_nurse.returncode, as_nobody.returncode} == {5}


@pytest.mark.parametrize(
    ("host", "site", "says"),
    [
        ("mqtt://h", "home", "broker.host: give the host alone, without mqtt:// before it"),
        ("broker..x", "home", "broker.host: is no host name and no IP address"),
        ("h:1883", "home", "broker.host: give the host alone; what follows its colon goes to port"),
        ("h", "+/#", "site: '+/#' may hold only A-Z, a-z, 0-9, _ and -, 64 at most"),
    ],
)
def test_a_place_that_is_none_is_one_line(host: str, site: str, says: str) -> None:
    done = vser_stream("resume", "bed", "--host", host, "--site", site)
    assert (done.returncode, done.stderr) == (2, f"vser-stream: {says}\n")
