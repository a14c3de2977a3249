import json
from importlib import metadata
from pathlib import Path

from support.command import vser_stream
from support.daemon import configuration

from vser_stream import __version__

LICENCE = metadata.metadata("vser-stream")["License-Expression"]


def test_it_tells_versions_model_features_and_licences() -> None:
    facts = json.loads(vser_stream("about", "--json").stdout)
    model = json.loads(vser_stream("models", "verify", "--json").stdout)
    assert facts["version"] == __version__
    assert facts["licence"] == LICENCE
    assert facts["notice"].startswith("Not a medical device.")
    assert facts["features"] == model["features"]
    assert facts["model"] == {
        "name": model["name"],
        "version": model["version"],
        "sha256": model["manifest_sha256"],
    }
    licences = {one["name"]: one["licence"] for one in facts["libraries"]}
    assert licences["aiomqtt"] == "BSD License"
    assert "see its own files" not in licences.values()
    assert "vser-stream" not in licences


def test_the_same_for_people() -> None:
    told = vser_stream("about").stdout.splitlines()
    assert told[0].startswith(f"vser-stream {__version__} ({LICENCE}), Python 3")
    assert told[1] == "Not a medical device. The shipped model was trained on acted speech."


def test_it_tells_what_leaves_the_box_and_to_whom(tmp_path: Path) -> None:
    config = configuration(tmp_path, 1883, source='url = "rtsp://viewer:hunter2@192.0.2.10/1"')
    done = vser_stream("about", "--config", config)
    assert "to 127.0.0.1:1883 (MQTT broker): alerts, states, health" in done.stdout
    assert "to rtsp://192.0.2.10/... (camera bedroom): " in done.stdout
    assert "to no one else\n" in done.stdout
    assert "hunter2" not in done.stdout
    assert json.loads(vser_stream("about", "--json").stdout)["leaves_the_box"]["to"] == []
