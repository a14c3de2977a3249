"""Plays a scene through the daemon and prints the alerts as they arrive over MQTT.

Exit code 0 only if an angry and a panic alert were received.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError

SCENE = Path(__file__).with_name("scene.flac")
LONGEST = 180.0
"""Longer than the scene and the slowest start (s)."""

SOURCE = "vser/v1/demo/bedroom"
COLOURS = {"calm": "cyan", "angry": "yellow", "panic": "bold red"}
WANTED = {"angry", "panic"}

MOSQUITTO = "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
CONFIG = """\
site = "demo"
state_dir = "state"
[mqtt]
host = "127.0.0.1"
port = {port}
[publish]
utterances = true
[[sources]]
name = "bedroom"
file = "{scene}"
"""
WITH_REASONER = "the bundled language model weighs low-confidence utterances"
WITHOUT_REASONER = "not installed, falling back to the SVM (deploy/demo.sh --reasoner)"
NEXT = """
What next
  your own microphone   .venv/bin/pip install -e '.[mic]'   (and: apt install libportaudio2)
                        .venv/bin/vser-stream devices
  or your camera        url = "rtsp://…" in the configuration
  a recording           .venv/bin/vser-stream replay FILE
See "Run it" in README.md. Not a medical device; the model was trained on acted speech."""

console = Console(highlight=False, soft_wrap=True)


async def main() -> int:
    """Run the demonstration; return the exit code."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="vser-demo-") as folder:
        async with broker(port, Path(folder)) as name, subscriber(port) as alerts:
            console.print(f"broker: {name} on 127.0.0.1:{port}, subscribed to {SOURCE}/#")
            console.print("scene:  a calm voice, then agitated, then screams (all synthetic)")
            console.print(f"reasoner: {WITH_REASONER if find_spec('llama_cpp') else WITHOUT_REASONER}\n")
            labels = await play(port, Path(folder), alerts)
    if missing := WANTED - labels:
        console.print(f"[bold red]no {' and no '.join(sorted(missing))} alert was received")
        return 1
    console.print(NEXT, markup=False)
    return 0


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def broker(port: int, folder: Path) -> AsyncIterator[str]:
    """A broker of our own: Mosquitto, or amqtt where there is none; yields its name."""
    if program := shutil.which("mosquitto"):
        conf = folder / "mosquitto.conf"
        conf.write_text(MOSQUITTO.format(port=port))
        process = await asyncio.create_subprocess_exec(
            program, "-c", str(conf), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            yield "Mosquitto"
        finally:
            process.terminate()
            await process.wait()
        return
    from amqtt.broker import Broker as Amqtt  # noqa: PLC0415 - the extra "demo", only without Mosquitto

    logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # it tells of every greeting it does not know
    embedded = Amqtt({"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}})
    await embedded.start()
    try:
        yield "amqtt"
    finally:
        await embedded.shutdown()


@contextlib.asynccontextmanager
async def subscriber(port: int) -> AsyncIterator[MqttPublisher]:
    """A connection that receives the alerts; waits for the broker to be up."""
    until = time.monotonic() + 10.0
    while True:
        try:
            async with MqttPublisher(MqttConfig(host="127.0.0.1", port=port)) as connection:
                await connection.subscribe(f"{SOURCE}/alert")
                await connection.subscribe(f"{SOURCE}/utterance")
                yield connection
                return
        except PublishError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(0.1)


async def play(port: int, folder: Path, alerts: MqttPublisher) -> set[str]:
    """Run the daemon on the scene; return the labels of the alarms that arrived."""
    config = folder / "vser.toml"
    config.write_text(CONFIG.format(port=port, scene=SCENE))
    daemon = await asyncio.create_subprocess_exec(
        "vser-stream", "run", "--config", str(config), stderr=asyncio.subprocess.PIPE
    )
    labels: set[str] = set()
    listening = asyncio.create_task(listen(alerts, labels))
    try:
        async with asyncio.timeout(LONGEST):
            _, log = await daemon.communicate()
        await asyncio.sleep(0.2)  # the last alert is on its way
    finally:
        listening.cancel()
        with contextlib.suppress(ProcessLookupError):
            daemon.kill()
    if daemon.returncode:
        sys.exit(log.decode() or f"the daemon ended with code {daemon.returncode}")
    return labels


async def listen(alerts: MqttPublisher, labels: set[str]) -> None:
    """Print what arrives, and note what was alarmed."""
    async for received in alerts.received():
        document = json.loads(received.payload)
        if received.topic.endswith("/utterance"):
            show_utterance(document)
            continue
        show(document)
        if document["event"] in {"raised", "escalated"}:
            labels.add(document["label"])


def show_utterance(utterance: dict[str, Any]) -> None:
    """Print what one utterance sounded like; the reasons too where confidence was low."""
    label, doubtful = utterance["label"], utterance["escalated"]
    doubt = f", low confidence, decided by {utterance['decided_by']}" if doubtful else ""
    console.print(f"          [{COLOURS[label]}]{label}[/] {utterance['confidence']:.2f}{doubt}", style="dim")
    if doubtful:
        console.print(f"          {utterance['rationale']}\n", style="dim")


def show(alert: dict[str, Any]) -> None:
    """Print one alert for people."""
    head = f"{alert['published_at'][11:19]}  {alert['event'].upper()}: {alert['label']}"
    console.print(f"[{COLOURS[alert['label']]}]{head}[/]  priority {alert['priority']}, {alert['reason']}")
    console.print(f"          {alert['rationale']}")
    spoken = alert["latency_ms"]
    after = "" if spoken is None else f", {spoken:.0f} ms after the end of the speech"
    console.print(f"          decided by {alert['decided_by']}{after}\n")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
