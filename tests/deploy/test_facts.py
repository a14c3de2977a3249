"""What documents for people say of a figure or a name is what the code has."""

import re
from pathlib import Path

from vser_stream.config.schema import (
    LONGEST_PAUSE,
    AlarmConfig,
    Config,
    LevelConfig,
    MqttConfig,
    PublishConfig,
    SourceConfig,
)
from vser_stream.core.wire import topics
from vser_stream.core.wire.asyncapi import asyncapi
from vser_stream.core.wire.commands import Pause
from vser_stream.core.wire.documents import HEALTH_LASTS
from vser_stream.core.wire.home_assistant import PAUSE_MINUTES

ROOT = Path(__file__).parents[2]
README = " ".join((ROOT / "README.md").read_text().split())
ALARM = AlarmConfig()
MQTT = MqttConfig(host="h")


def test_the_published_interface_has_the_defaults_of_the_configuration() -> None:
    document = asyncapi("1")
    assert document["servers"]["broker"]["bindings"]["mqtt"]["keepAlive"] == MQTT.keepalive
    expiry = document["operations"]["send-health"]["bindings"]["mqtt"]["messageExpiryInterval"]
    assert expiry == HEALTH_LASTS * PublishConfig().health_every


def test_the_shipped_broker_speaks_of_our_keepalive() -> None:
    text = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()
    assert f"after twice its keepalive ({MQTT.keepalive} s)" in text
    (longest,) = re.findall(r"^max_keepalive (\d+)$", text, re.MULTILINE)
    assert MQTT.keepalive <= int(longest)


def test_nobody_may_ask_for_a_longer_pause_than_can_be_configured() -> None:
    assert Pause.model_json_schema()["properties"]["minutes"]["maximum"] * 60 == LONGEST_PAUSE
    assert AlarmConfig.model_json_schema()["properties"]["longest_pause"]["maximum"] == LONGEST_PAUSE
    assert ALARM.longest_pause >= PAUSE_MINUTES * 60


def test_the_readme_names_the_topics() -> None:
    for source in (None, "<source>"):
        assert f"`{topics.device('homeassistant', '<site>', source)}`" in README
    assert set(re.findall(r"homeassistant/device/[\w<>/-]*config", README)) == {
        topics.device("homeassistant", "<site>", source) for source in (None, "<source>")
    }


def test_the_readme_tells_when_it_is_an_alarm() -> None:
    for level in (ALARM.panic, ALARM.angry):
        said_of(level)
    first, second = ALARM.panic.escalate_after
    assert f"after {first:g} s and {second:g} s, then every {ALARM.remind_every / 60:g} min" in README
    assert f"one at p ≥ {ALARM.panic.fast:g}" in README
    assert f"`acknowledged` (for {ALARM.acknowledge_for / 60:g} min" in README
    assert f"for {ALARM.angry.refractory:g} s after clearing" in README


def said_of(level: LevelConfig) -> None:
    assert f"distress ≥ {level.distress:g}" in README
    assert f"`at_least = {level.at_least:g}`" in README
    assert f"half fades in {level.half_life:g} s" in README
    assert f"{level.hold:g} s without" in README


def test_the_readme_tells_of_other_defaults() -> None:
    config = Config(site="home", mqtt=MQTT, sources=(SourceConfig(name="a", device="b"),))
    assert f"# deadline = {config.reasoner.deadline:g} " in README
    assert f"evidence_days = {config.privacy.evidence_days:g}" in README
    assert f"# port = {MQTT.port} " in README
