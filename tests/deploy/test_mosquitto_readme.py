"""The instructions for the broker: run as they are written, and then a box and a dispatcher connect."""

import asyncio
import os
import re
import subprocess
from pathlib import Path

from support.broker import free_port, shipped_broker

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.values import Message

README = Path(__file__).parents[2] / "deploy/mosquitto/README.md"
BY_THE_TEST = ("export MOSQUITTO", "mosquitto_passwd", "systemctl", "mosquitto_sub")
"""Blocks that ask for a password, or need a running system."""


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_every_block_is_either_run_here_or_done_by_the_test() -> None:
    assert [next((name for name in BY_THE_TEST if name in block), "run") for block in blocks()] == [
        "export MOSQUITTO",
        "run",
        "mosquitto_passwd",
        "run",
        "run",
        "run",
        "systemctl",
        "mosquitto_sub",
    ]


def test_a_box_and_a_dispatcher_are_let_in_by_what_the_commands_made(tmp_path: Path) -> None:
    script = "\n".join(block for block in blocks() if not any(name in block for name in BY_THE_TEST))
    environment = os.environ | {"MOSQUITTO": str(tmp_path)}
    script = script.replace("chown mosquitto:", "chown $(id -un):")  # only root can give files away
    subprocess.run(["bash", "-euc", script], env=environment, check=True, capture_output=True, text=True)
    certs = tmp_path / "certs"
    made = {f"{name}.{kind}" for name in ("ca", "server", "home-1") for kind in ("key", "crt")}
    assert made < {path.name for path in certs.iterdir()}
    assert (certs / "server.key").stat().st_mode & 0o077 == 0
    strictly = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "server.crt", "home-1.crt"]
    subprocess.run(strictly, cwd=certs, check=True, capture_output=True)  # as clients on Python >= 3.13 do
    port = free_port()
    (tmp_path / "password").write_text("h")
    box = MqttConfig(
        host="localhost",
        port=port,
        username="home-1",
        password_file=tmp_path / "password",
        tls=True,
        ca_file=certs / "ca.crt",
        cert_file=certs / "home-1.crt",
        key_file=certs / "home-1.key",
    )
    listen = ["bash", "-c", blocks()[-1].replace("-p 8883", f"-p {port}")]
    told = environment | {"PASSWORD": "d"}
    with shipped_broker(tmp_path, users={"home-1": "h", "dispatcher": "d"}, tls_port=port):
        subprocess.run(listen, env=told, capture_output=True, check=False)  # from now on it is waited for
        asyncio.run(alert(box))
        heard = subprocess.run(listen, env=told, capture_output=True, text=True, check=False)
    assert heard.stdout == "help\n", heard.stderr


async def alert(box: MqttConfig) -> None:
    async with MqttPublisher(box) as publisher:
        await publisher.publish(Message("vser/v1/home-1/bed/alert", b"help", 1, retain=False, id="m"))
