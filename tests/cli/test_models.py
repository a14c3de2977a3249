import json
import shutil
from pathlib import Path

import pytest
from support.command import vser_stream

from vser_stream.config import shipped_model


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
