from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.broker import Mosquitto, free_port
from support.mqtt import address, message, next_of, received

from vser_stream.adapters.mqtt import Broker, MqttPublisher
from vser_stream.adapters.mqtt_access import AT_ONCE, denied
from vser_stream.errors import PublishError

pytestmark = pytest.mark.usefixtures("quiet_loop")

ACL = "user agent\ntopic write vser/v1/home/+/state\ntopic write vser/v1/home/bed/alert\ntopic read #\n"


async def test_what_may_not_be_published_is_found_with_the_line_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    beds = [f"vser/v1/home/bed-{n}/alert" for n in range(2 * AT_ONCE)]
    with Mosquitto(tmp_path, users={"agent": "secret"}, acl=ACL) as server:
        broker = address(server, username="agent", password_file=tmp_path / "secret")
        found = await denied(broker, ["vser/v1/home/bed/alert", "vser/v1/home/bed/state", *beds])
    assert list(found) == beds
    assert found[beds[0]] == (
        'it does not authorise this user; add to its acl_file, below "user agent": '
        '"topic write vser/v1/home/bed-0/alert"'
    )


async def test_nobody_hears_the_question(server: Mosquitto) -> None:
    async with MqttPublisher(address(server)) as listener:
        await listener.subscribe("#")
        assert await denied(address(server), ["vser/t", "vser/u"]) == {}
        await listener.publish(message("m1"))
        assert await next_of(listener) == received("vser/t", b"m1")


async def test_it_asks_over_tls_with_a_certificate_too(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, tls=True, client_certificates=True) as server:
        files = {"cert_file": tmp_path / "client.crt", "key_file": tmp_path / "client.key"}
        assert await denied(address(server, tls=True, ca_file=tmp_path / "ca.crt", **files), ["a"]) == {}


async def test_a_broker_that_does_not_say_is_an_error_and_not_a_denial(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="does not say what may be published"):
        await denied(Broker("127.0.0.1", free_port()), ["a"])
    with Mosquitto(tmp_path) as server:
        server.freeze()
        with pytest.raises(PublishError, match="does not say what may be published"):
            await denied(address(server, timeout=0.1), ["a"])
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as listener:
        with pytest.raises(PublishError, match="does not say what may be published"):
            await denied(Broker("127.0.0.1", listener.sockets[0].getsockname()[1]), ["a"])


async def test_a_login_that_is_refused_is_told_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wr0ng")
    with Mosquitto(tmp_path, users={"agent": "secret"}) as server:
        broker = address(server, username="agent", password_file=tmp_path / "secret")
        with pytest.raises(PublishError, match="refused to say what may be published: code 135") as caught:
            await denied(broker, ["a"])
    assert "wr0ng" not in str(caught.value)
