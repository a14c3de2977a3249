import json
import shutil
import tomllib
from pathlib import Path

import pytest
from support.command import vser_stream
from support.file_server import file_server
from support.gguf_file import sha256_of, tiny_chat_model

from vser_stream.config.locations import shipped_model, shipped_reasoner


def test_the_shipped_model_verifies() -> None:
    done = vser_stream("models", "verify", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verified"] is True


@pytest.mark.parametrize("name", ["svm.onnx", "vectors.npz"])
def test_a_changed_model_is_refused_with_code_3(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(shipped_model(), folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    done = vser_stream("models", "verify", folder)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1


def test_a_model_of_other_features_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(shipped_model(), folder)
    manifest = folder / "manifest.toml"
    lines = [
        'features = "0000"' if line.startswith("features") else line
        for line in manifest.read_text().splitlines()
    ]
    manifest.write_text("\n".join(lines))
    done = vser_stream("models", "verify", folder)
    assert (done.returncode, "trained on features 0000" in done.stderr) == (3, True)


def test_a_missing_model_is_code_3(tmp_path: Path) -> None:
    done = vser_stream("models", "verify", tmp_path / "absent")
    assert (done.returncode, "manifest.toml" in done.stderr) == (3, True)


def test_a_language_model_is_pulled_verified_and_ready_for_the_configuration(tmp_path: Path) -> None:
    model = tiny_chat_model(tmp_path / "tiny.gguf")
    sha256 = sha256_of(model)
    with file_server(model.read_bytes()) as server:
        server.cut_after = 200_000
        done = vser_stream("models", "pull", server.url, "--sha256", sha256, "--to", tmp_path / "to")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "to" / "some.gguf"
    told = tomllib.loads(done.stdout.split("\n\n")[1])
    assert told == {"reasoner": {"backend": "gguf", "model": str(path), "sha256": sha256}}
    checked = vser_stream("models", "verify", path, "--sha256", sha256, "--json")
    assert json.loads(checked.stdout) == {"name": "some", "sha256": sha256, "verified": True}


def test_the_shipped_reasoner_is_verified_by_its_folder() -> None:
    folder = shipped_reasoner()
    done = vser_stream("models", "verify", folder, "--json")
    told = json.loads(done.stdout)
    assert told["name"].startswith(f"{folder.name}@")
    assert (told["sha256"], told["verified"]) == (sha256_of(folder / "model.gguf"), True)


def test_an_address_without_a_checksum_is_refused() -> None:
    done = vser_stream("models", "pull", "http://127.0.0.1:1/x.gguf")
    assert (done.returncode, "--sha256" in done.stderr) == (2, True)


def test_a_gguf_file_that_is_damaged_is_code_3(tmp_path: Path) -> None:
    model = tiny_chat_model(tmp_path / "tiny.gguf")
    model.write_bytes(model.read_bytes()[:-5000])
    done = vser_stream("models", "verify", model)
    assert (done.returncode, done.stderr.count("\n"), "damaged" in done.stderr) == (3, 1, True)
