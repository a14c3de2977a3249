"""A nurse's commands to a real daemon, and what everybody else sees of them."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import numpy as np
from support.audio import write
from support.broker import Mosquitto
from support.command import vser_stream
from support.daemon import SCENE, Subscriber, configuration, daemon, wait_for
from support.patience import HANGS

from vser_stream.adapters.audio.recording import Recording
from vser_stream.values import RATE


def test_an_alarm_is_acknowledged_once_for_all_to_see_and_feedback_is_kept(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        # However long a busy box takes for each command, there is somebody to obey it.
        scene = np.concatenate([block.pcm for block in Recording(SCENE).blocks(lambda: False)])
        write(tmp_path / "on.wav", np.pad(scene, (0, round(HANGS) * RATE)))
        config = configuration(tmp_path, broker.port, source='file = "on.wav"')
        with daemon(config):
            wait_for(lambda: subscriber.documents("alert"), within=60, what="an alert")
            alert_id = subscriber.documents("alert")[0]["alert_id"]
            done = vser_stream("ack", alert_id[:8], "--config", config, "--by", "Ana")
            assert (done.returncode, done.stderr) == (0, "")

            def acknowledged() -> list[tuple[str, str]]:
                told = [one for one in subscriber.documents("alert") if one["event"] == "acknowledged"]
                return [(one["alert_id"], one["by"]) for one in told]

            wait_for(acknowledged, within=5, what="the acknowledgement")
            assert acknowledged() == [(alert_id, "Ana")]
            wait_for(
                lambda: subscriber.documents("state")[-1]["signal"] == "acknowledged",
                within=5,
                what="the state",
            )
            verdict = json.dumps({"alert_id": alert_id, "verdict": False, "by": "Ana"})
            broker.publish("vser/v1/test/bedroom/cmd/feedback", verdict)
            kept = tmp_path / "state/feedback.jsonl"
            wait_for(kept.exists, within=5, what="the feedback")
            line = json.loads(kept.read_text())
            assert (line["schema"], line["verdict"]) == ("vser.feedback/1", "false")


def test_a_pause_is_seen_by_all_and_ends_when_asked(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, source='device = "no such microphone"')
        with daemon(config):
            wait_for(lambda: subscriber.documents("state"), within=30, what="the state")
            asked = time.time()
            done = vser_stream("pause", "bedroom", "--minutes", "120", "--config", config, "--by", "Ana")
            paused = subscriber.documents("state")[-1]["paused"]
            until = datetime.fromisoformat(paused["until"])
            # Longer than any pause may be by default: what is said is when it really ends.
            assert asked + 3600 <= until.timestamp() + 0.001 <= time.time() + 3600
            assert done.stdout.endswith(f"no alarm, paused by Ana until {until.astimezone():%H:%M:%S}\n")
            assert vser_stream("resume", "bedroom", "--config", config).returncode == 0
            assert subscriber.documents("state")[-1]["paused"] is None
            again = vser_stream("resume", "bedroom", "--config", config)
            assert (again.returncode, "bedroom is not paused" in again.stderr) == (2, True)
