"""The installer, in a root of its own."""

import hashlib
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from vser_stream.config.schema import Config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

INSTALLED = {
    "etc/mosquitto/acl": "mosquitto/acl",
    "etc/mosquitto/conf.d/vser-stream.conf": "mosquitto/mosquitto.conf",
    "etc/systemd/system/vser-stream.service": "systemd/vser-stream.service",
    "etc/sysusers.d/vser-stream.conf": "systemd/vser-stream.sysusers",
    "etc/vser-stream/vser.toml": "vser.toml",
}


def install(root: Path, *options: str) -> str:
    command = [str(DEPLOY / "install.sh"), *options]
    done = subprocess.run(
        command, env=os.environ | {"DESTDIR": str(root)}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_it_installs_what_is_in_deploy_once_or_twice(tmp_path: Path) -> None:
    install(tmp_path, "--files-only", "--broker")
    expected = {there: (DEPLOY / here).read_text() for there, here in INSTALLED.items()}
    assert files(tmp_path) == expected
    assert (tmp_path / "etc/vser-stream/credentials").stat().st_mode & 0o777 == 0o750
    assert str((tmp_path / "usr/local/bin/vser-stream").readlink()) == "/opt/vser-stream/bin/vser-stream"
    install(tmp_path, "--files-only", "--broker")
    assert files(tmp_path) == expected


def test_what_somebody_edited_stays_and_what_is_ours_is_renewed(tmp_path: Path) -> None:
    install(tmp_path, "--files-only", "--broker")
    config = tmp_path / "etc/vser-stream/vser.toml"
    unit = tmp_path / "etc/systemd/system/vser-stream.service"
    config.write_text("theirs")
    unit.write_text("an older release")
    assert f"kept: {config}" in install(tmp_path, "--files-only", "--broker")
    assert config.read_text() == "theirs"
    assert unit.read_text() == (DEPLOY / "systemd/vser-stream.service").read_text()


def test_an_access_list_is_renewed_if_it_still_is_an_earlier_releases_and_kept_if_edited(
    tmp_path: Path,
) -> None:
    clone, root = tmp_path / "clone", tmp_path / "root"
    shutil.copytree(DEPLOY, clone / "deploy")
    installer = clone / "deploy/install.sh"
    earlier = "user *\n"
    known = re.search(r"\b[0-9a-f]{64}\b", installer.read_text())
    assert known
    digest = hashlib.sha256(earlier.encode()).hexdigest()
    installer.write_text(installer.read_text().replace(known[0], digest))
    acl = root / "etc/mosquitto/acl"
    acl.parent.mkdir(parents=True)
    environment = os.environ | {"DESTDIR": str(root)}
    for found, left in ((earlier, (DEPLOY / "mosquitto/acl").read_text()), ("edited", "edited")):
        acl.write_text(found)
        command = [str(installer), "--files-only", "--broker"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        assert acl.read_text() == left


def test_a_dry_run_says_all_and_does_nothing(tmp_path: Path) -> None:
    said = install(tmp_path, "--broker", "--dry-run")
    assert list(tmp_path.iterdir()) == []
    assert all(there in said for there in INSTALLED)
    assert "would install: python3-venv libportaudio2 mosquitto mosquitto-clients" in said
    assert f"would run: python3 -m venv {tmp_path}/opt/vser-stream" in said


def test_uninstalling_leaves_what_is_theirs(tmp_path: Path) -> None:
    install(tmp_path, "--files-only")
    (tmp_path / "opt/vser-stream").mkdir(parents=True)
    (tmp_path / "etc/vser-stream/credentials/mqtt-password").write_text("secret")
    install(tmp_path, "--uninstall")
    assert sorted(files(tmp_path)) == [
        "etc/vser-stream/credentials/mqtt-password",
        "etc/vser-stream/vser.toml",
    ]
    assert not (tmp_path / "opt/vser-stream").exists()


def test_the_example_configuration_is_one() -> None:
    text = (DEPLOY / "vser.toml").read_text()
    Config.model_validate(tomllib.loads(text))
    hidden = [line for line in text.splitlines() if line.startswith("# [")]
    assert hidden == ["# [[sources]]"]
    shown = "\n".join(
        line.removeprefix("# ") if " = " in line or line == "# [[sources]]" else line
        for line in text.splitlines()
    )
    assert len(Config.model_validate(tomllib.loads(shown)).sources) == 2


@pytest.mark.timeout(240)
def test_with_a_strict_umask_all_can_read_it_and_the_clone_is_left_as_it_was(tmp_path: Path) -> None:
    clone, root = tmp_path / "clone", tmp_path / "root"
    kept = ("deploy", "models", "rules", "vser_stream")
    for name in kept:
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file() and file.name != ".git":
            shutil.copy(file, clone)
    for lock in (clone / "deploy/locks").iterdir():
        lock.write_text("")  # the libraries take a minute
    before = {path.relative_to(clone) for path in clone.rglob("*")}
    command = ["bash", "-c", "umask 077; exec deploy/install.sh --no-reasoner"]
    environment = os.environ | {"DESTDIR": str(root)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=True)
    assert {path.relative_to(clone) for path in clone.rglob("*")} == before
    installed = list((root / "opt").rglob("*"))
    assert root / "opt/vser-stream/bin/vser-stream" in installed
    modes = {path: path.stat().st_mode for path in installed if path.exists() and not path.is_symlink()}
    assert [path for path, mode in modes.items() if mode & 0o004 == 0] == []
    assert [path for path, mode in modes.items() if path.is_dir() and mode & 0o001 == 0] == []


WAITS_UNTIL_TOLD = """
source deploy/venv.sh
compile() {
  echo "[1/2] some file"
  until grep -q "some file" "$TOLD"; do sleep 0.05; done
  echo "made"
  return "$1"
}
with_progress "compiling" compile "$STATUS"
"""


@pytest.mark.parametrize(("status", "errors"), [(0, ""), (3, "[1/2] some file\nmade\n")])
def test_long_work_is_told_of_while_it_lasts_and_in_full_if_it_fails(
    tmp_path: Path, status: int, errors: str
) -> None:
    told = tmp_path / "told"
    environment = os.environ | {"TOLD": str(told), "STATUS": str(status), "PROGRESS_EVERY": "0.2"}
    with told.open("w") as output:
        done = subprocess.run(
            ["bash", "-euc", WAITS_UNTIL_TOLD],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, errors)
    lines = told.read_text().splitlines()
    assert re.fullmatch(r"  compiling, \d+ min \d+ s: \[1/2\] some file", lines[0])
    assert "made" not in lines
