from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.broker import Mosquitto, certificates, free_port

from vser_stream.adapters.mqtt import INBOX, Broker, MqttPublisher, Received
from vser_stream.errors import MessageRefusedError, PublishError
from vser_stream.values import Message

PASSWORD = "correct horse 3:@%"  # noqa: S105 - of a broker that lives for one test
ACL = """
user agent
topic write vser/#
user watcher
topic readwrite #
"""


def message(name: str, *, topic: str = "vser/t", qos: int = 1, expires_at: float | None = None) -> Message:
    return Message(topic, name.encode(), qos, retain=False, id=name, expires_at=expires_at)


def received(topic: str, payload: bytes, **more: Any) -> Received:
    return Received(topic, payload, **{"retain": False, "response_topic": None, "correlation": None, **more})


def address(server: Mosquitto, **settings: Any) -> Broker:
    return dataclasses.replace(Broker(server.host, server.port, timeout=1.0), **settings)


def output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def next_of(publisher: MqttPublisher) -> Received:
    async with asyncio.timeout(5):
        return await anext(aiter(publisher.received()))


async def refusal(broker: Broker) -> str:
    """Why no connection comes about."""
    with pytest.raises(PublishError) as caught:
        async with MqttPublisher(broker):
            pass
    return str(caught.value)


@pytest.fixture(autouse=True)
def nothing_is_left_to_the_event_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"] == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker with TLS, client certificates, passwords and an access list, and its folder."""
    folder = tmp_path_factory.mktemp("broker")
    users = {"agent": PASSWORD, "watcher": "w"}
    with Mosquitto(folder, users=users, acl=ACL, tls=True, client_certificates=True) as server:
        yield server, folder


def login(secure: tuple[Mosquitto, Path], user: str = "agent", password: str = PASSWORD) -> Broker:
    server, folder = secure
    password_file = folder / f"password-{user}"
    password_file.write_text(password + "\n")
    return address(
        server,
        username=user,
        password_file=password_file,
        tls=True,
        ca_file=folder / "ca.crt",
        cert_file=folder / "client.crt",
        key_file=folder / "client.key",
    )


async def test_a_message_arrives_with_its_mqtt_5_properties(server: Mosquitto) -> None:
    line = "%t|%q|%r|%C|%E|%P|%p"
    command = [
        "mosquitto_sub",
        "-V",
        "5",
        "-p",
        str(server.port),
        "-t",
        "a/+",
        "-q",
        "1",
        "-W",
        "5",
        "-C",
        "2",
    ]
    async with MqttPublisher(address(server)) as publisher:
        sent = Message("a/b", b'{"x": 1}', 1, retain=True, id="m1", expires_at=time.time() + 600)
        await publisher.publish(sent)
        await publisher.publish(dataclasses.replace(sent, topic="a/c", expires_at=None))
    printed = output([*command, "-F", line])
    lines = [row.split("|") for row in sorted(printed.splitlines())]
    lifetime = int(lines[0].pop(4))
    assert lines == [
        ["a/b", "1", "1", "application/json", "id:m1", '{"x": 1}'],
        ["a/c", "1", "1", "application/json", "", "id:m1", '{"x": 1}'],
    ]
    assert 595 <= lifetime <= 600


async def test_a_command_arrives_with_where_to_answer_it(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher:
        await publisher.subscribe("cmd/#")
        await publisher.subscribe("answers")
        properties = ["-D", "publish", "response-topic", "answers", "-D", "publish", "correlation-data", "c1"]
        command = [
            "mosquitto_pub",
            "-V",
            "5",
            "-p",
            str(server.port),
            "-t",
            "cmd/ack",
            "-m",
            "now",
            *properties,
        ]
        output(command)
        command_received = received("cmd/ack", b"now", response_topic="answers", correlation=b"c1")
        assert await next_of(publisher) == command_received
        await publisher.publish(message("done", topic="answers"), correlation=b"c1")
        assert await next_of(publisher) == received("answers", b"done", correlation=b"c1")


async def test_over_tls_with_password_and_certificate_only_what_the_access_list_allows_is_taken(
    secure: tuple[Mosquitto, Path],
) -> None:
    async with (
        MqttPublisher(login(secure, "watcher", "w")) as watcher,
        MqttPublisher(login(secure)) as publisher,
    ):
        await watcher.subscribe("#")
        with pytest.raises(MessageRefusedError, match="refused forbidden/t: it does not authorise this user"):
            await publisher.publish(message("m1", topic="forbidden/t"))
        await publisher.publish(message("m2"))
        assert await next_of(watcher) == received("vser/t", b"m2")


async def test_a_wrong_password_is_told_but_never_shown(secure: tuple[Mosquitto, Path]) -> None:
    broker = login(secure, "agent", "wrong 5ecret")
    told = await refusal(broker)
    assert told == (
        f"broker 127.0.0.1:{broker.port} refused the connection: it does not authorise this user; "
        "check username, password_file and its access list"
    )
    assert "5ecret" not in repr(broker) + told


async def test_what_is_wrong_with_tls_is_told(secure: tuple[Mosquitto, Path], tmp_path: Path) -> None:
    certificates(tmp_path)
    broker = login(secure)
    stranger = dataclasses.replace(broker, ca_file=tmp_path / "ca.crt")
    assert "cannot be trusted: " in (told := await refusal(stranger))
    assert told.endswith("check ca_file, and host against its certificate")
    anonymous = dataclasses.replace(broker, cert_file=None, key_file=None)
    assert (await refusal(anonymous)).endswith(
        "hung up; check the port, whether it expects tls, and cert_file"
    )
    plain = dataclasses.replace(broker, tls=False)
    assert (await refusal(plain)).endswith("hung up; check the port, whether it expects tls, and cert_file")
    # A socket left open would warn here.
    gc.collect()


async def test_what_is_wrong_with_the_address_or_a_file_is_told(tmp_path: Path) -> None:
    port = free_port()
    here = Broker("127.0.0.1", port)
    missing = dataclasses.replace(here, password_file=tmp_path / "none")
    assert await refusal(here) == (
        f"broker 127.0.0.1:{port} refuses connections; start it or check host and port"
    )
    assert await refusal(Broker("no-such-host.invalid")) == (
        "broker no-such-host.invalid:1883 is an unknown host; check host and the name server"
    )
    assert await refusal(missing) == (
        "cannot log in to 127.0.0.1: No such file or directory; "
        "check that password_file, ca_file, cert_file and key_file exist and can be read"
    )


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[Broker, asyncio.Event]]:
    """Accepts connections and never answers; says when the client has closed them all."""
    closed = asyncio.Event()
    held: set[asyncio.StreamWriter] = set()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        closed.clear()
        await reader.read(-1)
        writer.close()
        held.remove(writer)
        if not held:
            closed.set()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as listener:
        yield Broker("127.0.0.1", listener.sockets[0].getsockname()[1], timeout=0.3), closed


async def test_a_server_that_never_answers_is_given_up_and_its_connection_closed() -> None:
    async with silent_server() as (broker, closed), asyncio.timeout(3):
        assert "did not answer in time" in await refusal(broker)
        await closed.wait()


async def test_a_cancelled_opening_leaves_no_connection_behind() -> None:
    async with silent_server() as (broker, closed), asyncio.timeout(3):
        patient = dataclasses.replace(broker, timeout=1.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), MqttPublisher(patient):
                pass
        await closed.wait()


async def test_a_frozen_broker_is_noticed_within_the_timeout(server: Mosquitto) -> None:
    async with MqttPublisher(address(server, timeout=0.5)) as publisher:
        server.freeze()
        begin = time.monotonic()
        with pytest.raises(PublishError, match="did not answer in time"):
            await publisher.publish(message("m1"))
        assert 0.4 < time.monotonic() - begin < 1.0


async def test_a_publication_waiting_for_a_broker_that_dies_fails_at_once(server: Mosquitto) -> None:
    async with MqttPublisher(address(server, timeout=30.0)) as publisher:
        server.freeze()
        waiting = asyncio.create_task(publisher.publish(message("m1")))
        await asyncio.sleep(0.05)  # let it reach the socket
        server.kill()
        begin = time.monotonic()
        with pytest.raises(PublishError, match="closed the connection; check that it runs"):
            await waiting
        assert "closed the connection" in str(await publisher.closed())
        with pytest.raises(PublishError):
            await publisher.publish(message("m2"))
        assert [m async for m in publisher.received()] == []
        assert time.monotonic() - begin < 1.0


async def test_why_the_broker_ended_the_connection_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, settings="max_packet_size 200") as server:
        async with MqttPublisher(address(server)) as publisher:
            with pytest.raises(PublishError) as caught:
                await publisher.publish(message("x" * 300))
            assert str(caught.value) == (
                f"broker 127.0.0.1:{server.port} ended the connection: "
                "it finds the message too large; raise its packet limit"
            )


async def test_a_second_connection_with_the_same_client_id_ends_the_first(server: Mosquitto) -> None:
    broker = address(server, client_id="box")
    async with MqttPublisher(broker) as first, MqttPublisher(broker) as second, asyncio.timeout(3):
        await first.closed()
        await second.publish(message("m1"))


async def test_the_will_is_kept_by_the_broker_after_an_error_but_not_after_a_good_end(
    server: Mosquitto,
) -> None:
    will = Message("status", b"offline", 1, retain=True, id="w")
    async with MqttPublisher(address(server), will=will) as publisher:
        await publisher.publish(message("x", topic="status"))
    async with MqttPublisher(address(server)) as watcher:
        await watcher.subscribe("status")
        with contextlib.suppress(ZeroDivisionError):
            async with MqttPublisher(address(server), will=will):
                raise ZeroDivisionError
        assert await next_of(watcher) == received("status", b"offline")
    async with MqttPublisher(address(server)) as late:
        await late.subscribe("status")
        assert await next_of(late) == received("status", b"offline", retain=True)


async def test_a_slow_reader_loses_the_oldest_counted(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as publisher:
        await publisher.subscribe("vser/t")
        for n in range(INBOX + 3):
            await publisher.publish(message(str(n)))
        await publisher.publish(message("last", topic="vser/t"))
        await asyncio.sleep(0.1)  # its echo comes just before its acknowledgement or just after
        assert (await next_of(publisher), publisher.dropped) == (received("vser/t", b"4"), 4)


DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[Mosquitto]:
    """The broker as deploy/mosquitto sets it up, in the folder of the test."""
    (tmp_path / "certs").mkdir()
    certificates(tmp_path / "certs")
    configuration = (DEPLOY / "mosquitto.conf").read_text()
    for there, here in (
        ("/etc/mosquitto/", "FOLDER/"),
        ("/var/lib/mosquitto/", "FOLDER/"),
        ("listener 1883 ", "listener PORT "),
        ("listener 8883", f"listener {free_port()} 127.0.0.1"),
    ):
        assert there in configuration
        configuration = configuration.replace(there, here)
    users = {"home-1": "h", "home-2": "h", "dispatcher": "d"}
    acl = (DEPLOY / "acl").read_text()
    with Mosquitto(tmp_path, users=users, acl=acl, configuration=configuration) as server:
        yield server


def user(server: Mosquitto, name: str, folder: Path) -> Broker:
    password_file = folder / name
    password_file.write_text(name[0])
    return address(server, username=name, password_file=password_file)


async def test_the_shipped_broker_keeps_what_an_absent_dispatcher_must_hear_over_a_power_cut(
    shipped: Mosquitto, tmp_path: Path
) -> None:
    dispatcher = [
        "mosquitto_sub",
        "-p",
        str(shipped.port),
        "-u",
        "dispatcher",
        "-P",
        "d",
        "-c",
        "-i",
        "d",
        "-q",
        "1",
    ]
    topics = ["-t", "vser/v1/+/+/alert", "-t", "vser/v1/+/status"]
    output([*dispatcher, *topics, "-E"])
    database = tmp_path / "mosquitto.db"
    async with MqttPublisher(user(shipped, "home-1", tmp_path)) as publisher:
        for n in range(20):
            await publisher.publish(message(f"alert {n}", topic="vser/v1/home-1/bed/alert"))
        await publisher.publish(Message("vser/v1/home-1/status", b"online", 1, retain=True, id="s"))
        async with asyncio.timeout(5):
            while not (database.exists() and b"online" in database.read_bytes()):  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.01)
        shipped.kill()
    shipped.start()
    heard = output([*dispatcher, *topics, "-C", "21", "-W", "5"]).split("\n")
    assert heard[:21] == [*(f"alert {n}" for n in range(20)), "online"]


async def test_the_shipped_access_list_lets_no_box_speak_for_another(
    shipped: Mosquitto, tmp_path: Path
) -> None:
    async with MqttPublisher(user(shipped, "home-2", tmp_path)) as publisher:
        for topic in ("status", "bed/alert", "bed/state", "bed/health", "bed/utterance"):
            await publisher.publish(message("m", topic=f"vser/v1/home-2/{topic}"))
            with pytest.raises(MessageRefusedError):
                await publisher.publish(message("m", topic=f"vser/v1/home-1/{topic}"))
        with pytest.raises(MessageRefusedError):
            await publisher.publish(message("m", topic="vser/v1/home-2/bed/cmd/ack"))
        await publisher.subscribe("vser/v1/home-2/+/cmd/#")
        async with MqttPublisher(user(shipped, "dispatcher", tmp_path)) as dispatcher:
            await dispatcher.publish(message("ack", topic="vser/v1/home-2/bed/cmd/ack"))
        assert await next_of(publisher) == received("vser/v1/home-2/bed/cmd/ack", b"ack")


AMQTT = """
import asyncio, sys
from amqtt.broker import Broker
async def main():
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listeners = {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}}
    await Broker({"listeners": listeners, "plugins": plugins}).start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def older() -> Iterator[Broker]:
    """A broker that does not know MQTT 5."""
    port = free_port()
    command = [sys.executable, "-c", AMQTT, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as amqtt:
        assert amqtt.stdout is not None
        assert amqtt.stdout.readline() == "ready\n"
        yield Broker("127.0.0.1", port)
        amqtt.kill()


@pytest.mark.parametrize("will", [None, message("will", topic="a/status")], ids=["refuses 5", "chokes on 5"])
async def test_a_broker_that_speaks_3_1_1_only_is_used_all_the_same(
    older: Broker, will: Message | None
) -> None:
    # amqtt refuses MQTT 5, but waits for more of a greeting that has a last will.
    async with MqttPublisher(dataclasses.replace(older, timeout=1.0), will=will) as publisher:
        await publisher.subscribe("a/#")
        await publisher.publish(message("m1", topic="a/b", expires_at=time.time() + 60))
        assert await next_of(publisher) == received("a/b", b"m1")
