from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.broker import Mosquitto, certificates, free_port
from support.mqtt import address, message, next_of, received, refusal

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.mqtt.login import secrets
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import MessageRefusedError, PublishError

pytestmark = pytest.mark.usefixtures("quiet_loop")

PASSWORD = "correct horse 3:@%"  # noqa: S105 - of a broker that lives for one test


ACL = """
user agent
topic write vser/#
user watcher
topic readwrite #
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mosquitto, Path]]:
    """A broker with TLS, client certificates, passwords and an access list, and its folder."""
    folder = tmp_path_factory.mktemp("broker")
    users = {"agent": PASSWORD, "watcher": "w"}
    with Mosquitto(folder, users=users, acl=ACL, tls=True) as server:
        yield server, folder


def login(secure: tuple[Mosquitto, Path], user: str = "agent", password: str = PASSWORD) -> MqttConfig:
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


async def test_over_tls_with_password_and_certificate_only_what_the_access_list_allows_is_taken(
    secure: tuple[Mosquitto, Path],
) -> None:
    async with (
        MqttPublisher(login(secure, "watcher", "w")) as watcher,
        MqttPublisher(login(secure)) as publisher,
    ):
        await watcher.subscribe("#")
        with pytest.raises(MessageRefusedError) as caught:
            await publisher.publish(message("m1", topic="forbidden/t"))
        assert str(caught.value).endswith(
            "refused write access to forbidden/t: it does not authorise this user; "
            'add to its acl_file, below "user agent": "topic write forbidden/t"'
        )
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
    stranger = broker.model_copy(update={"ca_file": tmp_path / "ca.crt"})
    assert "cannot be trusted: " in (told := await refusal(stranger))
    assert told.endswith("check ca_file, and host against its certificate")
    anonymous = broker.model_copy(update={"cert_file": None, "key_file": None})
    assert (await refusal(anonymous)).endswith(
        "hung up; check the port, whether it expects tls, and cert_file"
    )
    plain = broker.model_copy(update={"tls": False})
    assert (await refusal(plain)).endswith("hung up; check the port, whether it expects tls, and cert_file")
    # A socket left open would warn here.
    gc.collect()


async def test_what_is_wrong_with_the_address_or_a_file_is_told(tmp_path: Path) -> None:
    port = free_port()
    here = MqttConfig(host="127.0.0.1", port=port)
    missing = here.model_copy(update={"password_file": tmp_path / "none"})
    assert await refusal(here) == (
        f"broker 127.0.0.1:{port} refuses connections; start it or check host and port"
    )
    assert await refusal(MqttConfig(host="no-such-host.invalid")) == (
        "broker no-such-host.invalid:1883 is an unknown host; check host and the name server"
    )
    assert await refusal(missing) == (
        f"cannot log in to 127.0.0.1: password_file {tmp_path}/none: No such file or directory; "
        "correct the file or [mqtt] password_file"
    )


async def test_the_first_line_is_the_password_whatever_follows_it(secure: tuple[Mosquitto, Path]) -> None:
    broker = login(secure)
    assert broker.password_file
    broker.password_file.write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\nset in November\r\n")
    async with MqttPublisher(broker) as publisher:
        await publisher.publish(message("m1"))


def test_a_file_that_would_be_waited_for_is_refused_at_once(
    secure: tuple[Mosquitto, Path], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "genrsa", "-aes128", "-passout", "pass:s3cret", "-out", locked],
        check=True,
        capture_output=True,
    )
    for name in ("password_file", "ca_file", "cert_file", "key_file"):
        with pytest.raises(PublishError, match=f"{name} .*: no regular file; correct the file"):
            secrets(login(secure).model_copy(update={name: tmp_path / "pipe"}))
    with pytest.raises(PublishError, match="its key has a passphrase"):
        secrets(login(secure).model_copy(update={"key_file": locked}))
