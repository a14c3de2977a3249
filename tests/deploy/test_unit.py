"""The systemd unit, as systemd itself judges it."""

import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/systemd/vser-stream.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists."""
    program = "/opt/vser-stream/bin/vser-stream"
    text = UNIT.read_text()
    assert program in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(program, "/bin/true"))
    return copy


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_understands_every_line(unit: Path) -> None:
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text() + "WatchdogSex=30\n")
    assert "WatchdogSex" in analyze("verify", unit).stderr


def test_it_is_exposed_to_two_of_ten_at_most(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout
    unit.write_text(unit.read_text().replace("SystemCallFilter", "#"))
    assert analyze("security", "--offline=true", "--threshold=20", unit).returncode == 1
