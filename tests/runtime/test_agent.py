"""The daemon on a real broker: what subscribers see from its start to its end."""

import json
import signal
from pathlib import Path

import numpy as np
from support.audio import cries, write
from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon, wait_for
from support.panic_model import panic_model
from support.panics import panics
from support.patience import HANGS

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import RATE


def alarms(subscriber: Subscriber) -> list[str]:
    wanted = {"raised", "escalated"}
    return [alert["label"] for alert in subscriber.documents("alert") if alert["event"] in wanted]


def test_a_scene_is_heard_alarmed_and_reported_and_the_daemon_ends_with_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, more="[publish]\nutterances = true\nhealth_every = 1")
        with daemon(config) as process:
            assert process.wait(timeout=HANGS) == 0
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the farewell")

        assert subscriber.statuses() == ["offline", "online", "stopped"]
        assert "panic" in alarms(subscriber)
        alerts = subscriber.documents("alert")
        assert [alert["seq"] for alert in alerts] == list(range(1, len(alerts) + 1))
        assert len({alert["id"] for alert in alerts}) == len(alerts)
        assert subscriber.documents("state")[-1]["seq"] == len(alerts)
        utterances = subscriber.documents("utterance")
        assert utterances[0]["label"] == "calm"
        assert "z " in utterances[-1]["rationale"]
        captures = [health["capture"] for health in subscriber.documents("health")]
        assert captures[0] == "opening"
        assert "running" in captures
        assert captures[-1] == "ended"
        assert subscriber.documents("health")[-1]["utterances"] == len(utterances)
        # What it learned of the voice is kept, as statistics; who may enter the folder may read them.
        outbox = tmp_path / "state/outbox.db"
        assert (outbox.stat().st_mode & 0o777, outbox.parent.stat().st_mode & 0o777) == (0o640, 0o700)
        with SqliteOutbox(outbox) as kept:
            (memory,) = kept.memories()
        assert json.loads(memory.document)["baseline"]["calm"]["count"][0] >= 1
        assert {path.name for path in outbox.parent.iterdir()} == {"outbox.db", "control.sock"}


def test_a_crying_baby_is_told_in_the_room_where_somebody_asked_for_it(tmp_path: Path) -> None:
    recording = write(tmp_path / "baby.wav", np.concatenate([np.zeros(RATE, np.int16), cries(5)]))
    nursery = f'[[sources]]\nname = "nursery"\nfile = "{recording}"\nbaby_cry = true'
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, source=f'file = "{recording}"\n{nursery}')
        with daemon(config) as process:
            assert process.wait(timeout=HANGS) == 0
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the farewell")
        told = {
            (it["source"], one["name"]) for it in subscriber.documents("health") for one in it["conditions"]
        }
    assert {source for source, name in told if name == "baby_cry"} == {"nursery"}


def test_each_room_is_as_sensitive_as_false_alarms_are_allowed_in_it(tmp_path: Path) -> None:
    """Every voice is panic to this model; in the study nobody can bear to be disturbed for one."""
    with (panic_model(tmp_path / "model") / "manifest.toml").open("a") as manifest:
        manifest.write("[alarm.panic]\nper_day = [24, 0.5]\ndistress = [2, 50]\n")
    recording = panics(tmp_path / "cry.wav", 1, quiet=1.0)
    study = f'[[sources]]\nname = "study"\nfile = "{recording}"\nfalse_alarms_per_day = 0.5'
    alarm = "[alarm]\nfalse_alarms_per_day = 24\n[alarm.panic]\nfast = 1.0\n[alarm.angry]\ndistress = 50\n"
    more = f'model = "model"\n{alarm}'
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, source=f'file = "{recording}"\n{study}', more=more)
        with daemon(config) as process:
            assert process.wait(timeout=HANGS) == 0
        wait_for(lambda: "stopped" in subscriber.statuses(), within=5, what="the farewell")
        healths = subscriber.documents("health")
        assert {it["source"]: it["utterances"] for it in healths} == {"bedroom": 1, "study": 1}
        raised = [alert for alert in subscriber.documents("alert") if alert["event"] == "raised"]
        assert [(alert["source"], alert["label"]) for alert in raised] == [("bedroom", "panic")], raised
        assert "(alarm from 2)" in raised[0]["reason"]


def test_without_a_broker_it_keeps_running_and_its_alerts_arrive_later(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    config = configuration(tmp_path, broker.port)
    with daemon(config) as process:
        assert process.wait(timeout=HANGS) == 0
    # The scene is over, nothing was published; another run of the daemon delivers what waits.
    config = configuration(tmp_path, broker.port, source='device = "no such microphone"')
    with broker, Subscriber(broker) as subscriber, daemon(config) as process:
        wait_for(lambda: "panic" in alarms(subscriber), within=30, what="the panic alert")
        told = "no such microphone"
        wait_for(lambda: told in str(subscriber.documents("health")), within=30, what=told)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANGS) == 0
    assert subscriber.statuses() == ["offline", "stopped"]  # never online: it heard nothing
    assert "backoff" in [health["capture"] for health in subscriber.documents("health")]
    assert subscriber.documents("health")[-1]["capture"] == "idle"


def test_a_killed_daemon_is_offline_at_once_and_its_will_stays(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        with daemon(configuration(tmp_path, broker.port)) as process:
            wait_for(lambda: subscriber.statuses()[-1:] == ["online"], within=20, what="online")
            process.kill()
            wait_for(lambda: subscriber.statuses()[-1] == "offline", within=2, what="the will")
        with Subscriber(broker, "vser/v1/test/status") as late:
            wait_for(lambda: late.statuses() == ["offline"], within=5, what="the retained will")


def test_a_wrong_password_is_told_in_words_and_does_not_end_the_daemon(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wr0ng-s3cret\n")
    with Mosquitto(tmp_path, users={"agent": "right"}) as broker:
        config = configuration(tmp_path, broker.port)
        text = config.read_text().replace(
            "[[sources]]", 'username = "agent"\npassword_file = "password"\n[[sources]]'
        )
        config.write_text(text)
        with daemon(config) as process:
            assert process.stderr
            said = next(line for line in process.stderr if "check username" in line)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=HANGS)
    assert process.returncode == 0
    assert "wr0ng-s3cret" not in said + log
    assert "Traceback" not in log
