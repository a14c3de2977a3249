from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vser_stream.adapters.storage.state_folder import InUseError, StateFolder

HOLD = """
import sys, time
from pathlib import Path
from vser_stream.adapters.storage.state_folder import StateFolder
folder = StateFolder(Path(sys.argv[1]))
folder.claim()
print("claimed", flush=True)
time.sleep(600)
"""


def test_one_agent_has_it_until_it_lets_go(tmp_path: Path) -> None:
    one, other = StateFolder(tmp_path / "new" / "state"), StateFolder(tmp_path / "new" / "state")
    one.claim()
    one.claim()
    with pytest.raises(InUseError, match="another vser-stream uses"):
        other.claim()
    one.release()
    other.claim()
    other.release()
    assert one.path.stat().st_mode & 0o777 == 0o700


def test_a_killed_agent_has_let_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "claimed\n"
        with pytest.raises(InUseError, match="another vser-stream"):
            StateFolder(tmp_path).claim()
        held.send_signal(signal.SIGKILL)
        held.wait()
    again = StateFolder(tmp_path)
    again.claim()
    again.release()


def test_a_place_that_cannot_be_a_folder_is_an_error_and_later_it_may_be_claimed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("")
    folder = StateFolder(path)
    with pytest.raises(OSError, match="File exists"):
        folder.claim()
    path.unlink()
    folder.claim()
    folder.release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_leaves_the_folder_of_the_service_alone(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(InUseError, match="belongs to the service"):
        StateFolder(tmp_path).claim()
    assert list(tmp_path.iterdir()) == []
