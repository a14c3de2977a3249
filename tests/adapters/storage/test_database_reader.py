"""The agent's database as somebody else on the box may see it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.somebody import as_member

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import Record

COUNT = """
import sys
from pathlib import Path
from vser_stream.adapters.storage.database_reader import KeptFile
def main():
    with KeptFile(Path(sys.argv[1])) as file:
        print(file.verify()[0])
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import Record
outbox = SqliteOutbox(Path(sys.argv[1]))
outbox.commit((), records=(Record("bed", b"{}"),))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state/outbox.db"


def keep_one(path: Path) -> None:
    with SqliteOutbox(path) as outbox:
        outbox.commit((), records=(Record("bed", b"{}"),))


def counted(path: Path) -> str:
    before = sorted(path.parent.iterdir())
    done = as_member(path.parent, COUNT, path)
    assert sorted(path.parent.iterdir()) == before
    return done.stdout or done.stderr


def test_a_member_of_the_group_reads_while_the_agent_runs(path: Path) -> None:
    keep_one(path)
    with SqliteOutbox(path) as outbox:
        outbox.commit((), records=(Record("bed", b"{}"),))
        assert counted(path) == "2\n"


def test_a_member_of_the_group_reads_after_a_clean_end(path: Path) -> None:
    keep_one(path)
    assert counted(path) == "1\n"


def test_a_member_of_the_group_reads_what_a_killed_agent_left(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("outbox.db-wal").stat().st_size > 0
    assert counted(path) == "1\n"


def test_who_may_not_look_is_told_what_to_do(path: Path) -> None:
    keep_one(path)
    path.chmod(0)
    told = as_member(path.parent, COUNT, path).stderr.splitlines()[-1]
    assert "permission denied; run this as root, as the agent's user or as a member of its group" in told
