"""What a real Home Assistant makes of the daemon; print what is seen, end with 1 where it is wrong.

Run by ``try.sh``, inside a network namespace: nothing is there but Home Assistant, Mosquitto and the daemon.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.broker import Mosquitto, free_port
from support.daemon import SCENE, daemon

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = """
homeassistant:
  name: vser
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
persistent_notification:
logger:
  default: info
automation:
  - alias: Panic
    use_blueprint:
      path: vser-stream/panic.yaml
      input:
        panic: binary_sensor.bedroom_panic
        acknowledged: binary_sensor.bedroom_acknowledged
        every: {{seconds: 3}}
"""
EARLIER = {
    "device": {"identifiers": ["vser-home"], "name": "vser home"},
    "origin": {"name": "vser-stream"},
    "components": {
        "bedroom_alarm": {
            "platform": "sensor",
            "unique_id": "vser-home-bedroom-alarm",
            "name": "bedroom alarm",
            "state_topic": "vser/v1/home/bedroom/state",
            "value_template": "{{ value_json.condition }}",
        }
    },
}
"""As release 0.1.0 told it: the entities of all rooms in the document of the site."""

AGENT = """
site = "home"
state_dir = "state"
[publish]
health_every = 5
[mqtt]
host = "127.0.0.1"
port = {port}
[[sources]]
name = "bedroom"
file = "{scene}"
[[sources]]
name = "hall"
device = "no such microphone"
"""
ATTIC = '[[sources]]\nname = "attic"\ndevice = "no such microphone"\n'


class HomeAssistant:
    """Its REST interface.

    Args:
        root: Where it is installed.
        port: Of its web server.
    """

    def __init__(self, root: Path, port: int) -> None:
        self._root, self._url = root, f"http://127.0.0.1:{port}"
        self._token = ""
        self.folder = root / "config"

    @contextlib.contextmanager
    def running(self, configuration: str) -> Iterator[None]:
        """Run it on a fresh configuration, until it answers."""
        shutil.rmtree(self.folder, ignore_errors=True)
        blueprints = self.folder / "blueprints/automation/vser-stream"
        blueprints.mkdir(parents=True)
        shutil.copy(REPOSITORY / "deploy/homeassistant/panic.yaml", blueprints)
        (self.folder / "configuration.yaml").write_text(configuration)
        command = ["chroot", str(self._root), "/opt/hass/bin/hass", "--skip-pip", "-c", "/config"]
        with (self.folder / "stdout").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until("it answers", lambda: self._answers(process))
            yield
        finally:
            process.terminate()
            process.wait()

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            sys.exit((self.folder / "stdout").read_text())
        with contextlib.suppress(OSError):
            return bool(self.ask("/api/onboarding"))
        return False

    def log_in(self) -> None:
        """Make a user, as the first visitor does."""
        client = f"{self._url}/"
        person = {"name": "Ana", "username": "ana", "password": "x", "client_id": client, "language": "en"}
        code = self.ask("/api/onboarding/users", person)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        self._token = self.ask("/auth/token", urllib.parse.urlencode(form).encode())["access_token"]

    def set_mqtt_up(self, port: int) -> None:
        """Go through the config flow of its MQTT integration."""
        flows = "/api/config/config_entries/flow"
        flow = self.ask(flows, {"handler": "mqtt"})
        made = self.ask(f"{flows}/{flow['flow_id']}", {"broker": "127.0.0.1", "port": port})
        seen("its MQTT is set up", made["type"] == "create_entry", made)

    def ask(self, path: str, body: object = None) -> Any:
        """The answer, read as JSON where it is."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url + path, data=data, headers=headers)  # noqa: S310 - http
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http
            text = answer.read().decode()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def states(self) -> dict[str, str]:
        """Of every entity."""
        return {one["entity_id"]: one["state"] for one in self.ask("/api/states")}

    def template(self, template: str) -> str:
        """What a template gives there."""
        return str(self.ask("/api/template", {"template": template}))

    def call(self, domain: str, service: str, **data: object) -> None:
        """Call a service."""
        self.ask(f"/api/services/{domain}/{service}", data)


def until(what: str, condition: Any, *, within: float = 120.0) -> None:
    """Wait for it."""
    for _ in range(int(within / 0.2)):
        if condition():
            break
        time.sleep(0.2)
    seen(what, condition())


def seen(what: str, right: object, facts: object = "") -> None:
    """Print it; end where it is wrong."""
    print("ok  " if right else "WRONG", what, flush=True)
    if not right:
        sys.exit(f"{what}: {facts}")


def rooms(home: HomeAssistant) -> None:
    """Devices and what each entity is."""
    for room, name in (("bedroom", "Bedroom"), ("hall", "Hall")):
        device = f"device_id('binary_sensor.{room}_panic')"
        seen(
            f"{room} is a device of its own",
            home.template(f"{{{{ device_attr({device}, 'name') }}}}") == name,
        )
        above = home.template(f"{{{{ device_attr(device_attr({device}, 'via_device_id'), 'name') }}}}")
        seen(f"{room} is below the site", above == "vser home", above)
    friendly = "{{ state_attr('binary_sensor.bedroom_panic', 'friendly_name') }}"
    seen("a name for a dashboard", home.template(friendly) == "Bedroom Panic")
    kind = home.template("{{ state_attr('binary_sensor.bedroom_panic', 'device_class') }}")
    seen("panic is of class safety", kind == "safety", kind)


def earlier_entities(home: HomeAssistant) -> None:
    """What an earlier release told goes on under its own name, in its room."""
    kept = "sensor.vser_home_bedroom_alarm"
    until(
        "an entity of an earlier release goes on",
        lambda: home.states().get(kept) in {"calm", "angry", "panic"},
    )
    seen("and there is no second one", "sensor.bedroom_alarm" not in home.states())
    room = home.template(f"{{{{ device_attr(device_id('{kept}'), 'name') }}}}")
    seen("in its room", room == "Bedroom", room)


def dead_source(home: HomeAssistant) -> None:
    """A room nobody hears is never calm."""
    states = home.states()
    hall = {
        what: states[what] for what in ("binary_sensor.hall_panic", "sensor.hall_alarm", "sensor.hall_voice")
    }
    seen("a source that is not heard is unavailable", set(hall.values()) == {"unavailable"}, hall)
    seen("its connection is off", states["binary_sensor.hall_connection"] == "off")
    until("it has a problem", lambda: home.states()["binary_sensor.hall_problem"] == "on")
    until("the site listens", lambda: home.states()["binary_sensor.vser_home_listening"] == "on")


def panic(home: HomeAssistant) -> None:
    """A panic, what an automation makes of it, and its acknowledgement."""
    until("a panic is seen", lambda: home.states()["binary_sensor.bedroom_panic"] == "on")
    until("the event entity has told of it", lambda: home.states()["event.bedroom_alert"] != "unknown")
    fired = "{{ state_attr('automation.panic', 'last_triggered') is not none }}"
    until("the blueprint's automation has run", lambda: home.template(fired) == "True")
    running = "{{ state_attr('automation.panic', 'current') }}"
    seen("and tells again until it is acknowledged", home.template(running) == "1")
    home.call("button", "press", entity_id="button.bedroom_acknowledge")
    answered = ("binary_sensor.bedroom_acknowledged", "on"), ("binary_sensor.bedroom_panic", "off")
    until("the button acknowledges it", lambda: set(answered) & set(home.states().items()))
    until("the automation has ended", lambda: home.template(running) == "0")


def pause(home: HomeAssistant) -> None:
    """The other buttons."""
    home.call("button", "press", entity_id="button.bedroom_pause_10_min")
    until(
        "the button pauses",
        lambda: home.template("{{ state_attr('binary_sensor.hall_paused', 'by') }}") != "",
    )
    home.call("button", "press", entity_id="button.bedroom_resume")
    until("the button resumes", lambda: home.states()["binary_sensor.bedroom_paused"] == "off")


def comings_and_goings(home: HomeAssistant, config: Path, agent: subprocess.Popen[str]) -> None:
    """Sources that are added and removed by a reload, twice."""
    without = config.read_text()
    for _ in range(2):
        config.write_text(without + ATTIC)
        agent.send_signal(signal.SIGHUP)
        until("a source added by a reload is there", lambda: "binary_sensor.attic_panic" in home.states())
        config.write_text(without)
        agent.send_signal(signal.SIGHUP)
        until(
            "a source removed by a reload is gone", lambda: "binary_sensor.attic_panic" not in home.states()
        )


def complaints(home: HomeAssistant) -> list[str]:
    """What its log says against us."""
    lines = (home.folder / "home-assistant.log").read_text().splitlines()
    ours = ("mqtt", "vser", "blueprint", "automation", "emplate")
    return [
        line
        for line in lines
        if (" ERROR " in line or " WARNING " in line) and any(map(line.__contains__, ours))
    ]


def main() -> None:
    """Try it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    port = free_port()
    home = HomeAssistant(Path(sys.argv[1]), port)
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        broker.publish("homeassistant/device/home/config", json.dumps(EARLIER), retain=True)
        with home.running(CONFIGURATION.format(port=port)):
            home.log_in()
            home.set_mqtt_up(broker.port)
            until("it knows an earlier release", lambda: "sensor.vser_home_bedroom_alarm" in home.states())
            config = Path(name, "vser.toml")
            config.write_text(AGENT.format(port=broker.port, scene=SCENE))
            with daemon(config) as agent:
                until("a panic sensor comes", lambda: "binary_sensor.hall_panic" in home.states())
                earlier_entities(home)
                rooms(home)
                dead_source(home)
                panic(home)
                pause(home)
                comings_and_goings(home, config, agent)
                os.kill(agent.pid, signal.SIGKILL)
                until(
                    "a dead agent is unavailable",
                    lambda: home.states()["sensor.bedroom_voice"] == "unavailable",
                )
            found = complaints(home)
            seen("its log has nothing against us", not found, "\n".join(found))


if __name__ == "__main__":
    main()
