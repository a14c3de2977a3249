import json
import subprocess
import sys
from pathlib import Path

from support.command import vser_stream
from support.daemon import SCENE
from support.decisions import START, decision

from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.wire.documents import Origin, Versions, alert_of
from vser_stream.values import Label

ALERT = alert_of(
    Transition(AlarmEvent.RAISED, Label.PANIC, decision(panic=0.9, angry=0.1, at=3.0), "one decision"),
    origin=Origin("home-1", "bedroom", Versions(package="0.1.0", model="m@1")),
    event_id="e1",
    alert_id="a1",
    seq=1,
    published_at=START + 3.25,
).model_dump_json()


def test_an_alert_from_a_file_or_from_the_broker_becomes_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "alert.json"
    path.write_text(ALERT)
    of_file = vser_stream("fhir", path).stdout
    command = [sys.executable, "-m", "vser_stream", "fhir", "-"]
    of_input = subprocess.run(command, input=ALERT, capture_output=True, text=True, check=True).stdout
    assert of_file == of_input
    assert json.loads(of_file)["resourceType"] == "Bundle"


def test_what_replay_says_is_taken_by_whoever_takes_alerts(tmp_path: Path) -> None:
    lines = vser_stream("replay", "--json", SCENE).stdout.splitlines()
    (alert, *_) = [line for line in lines if json.loads(line)["type"] == "alert"]
    for line in (alert, lines[0]):
        path = tmp_path / "line.json"
        path.write_text(line)
        explained = vser_stream("rules", "explain", "--evidence", path, "--json")
        assert explained.returncode == 0, explained.stderr
    path.write_text(alert)
    assert json.loads(vser_stream("fhir", path).stdout)["resourceType"] == "Bundle"


def test_what_is_no_alert_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "alert.json"
    path.write_text(ALERT.replace('"confidence":0.9', '"confidence":9'))
    done = vser_stream("fhir", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (4, "", 1)
    assert "confidence: Input should be less than or equal to 1" in done.stderr
    missing = vser_stream("fhir", tmp_path / "none")
    assert (missing.returncode, "No such file" in missing.stderr) == (4, True)
