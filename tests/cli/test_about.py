import json
from importlib import metadata

from support.command import vser_stream

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
