"""No file on the disk, and no disk, stops the daemon: what it hears is told all the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon, wait_for
from support.flips import flipped
from support.patience import HANGS

from vser_stream.adapters.storage.database_reader import KeptFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.values import Memory, Message

SILENCE = 'device = "no such microphone"'
NO_REASONER = '[reasoner]\nbackend = "none"\n[publish]\nhealth_every = 1'


def disk_words(subscriber: Subscriber) -> str:
    """What the latest health message says of the disk."""
    healths = subscriber.documents("health")
    told = [one["reason"] for one in healths[-1]["conditions"] if one["name"] == "disk"] if healths else []
    return "; ".join(told)


def panics(subscriber: Subscriber) -> int:
    return sum(alert["label"] == "panic" for alert in subscriber.documents("alert"))


def ends_well(process: subprocess.Popen[str]) -> bool:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=HANGS) == 0


def waiting(state: Path) -> None:
    """Six messages that wait, as an earlier run left them."""
    state.mkdir()
    with SqliteOutbox(state / "outbox.db") as outbox:
        for number in range(6):
            topic, payload = f"vser/v1/test/room{number}/alert", b'{"number": %d}' % number
            message = Message(topic, payload, qos=1, retain=False, id=f"m{number}", priority=2)
            outbox.commit([message], memory=Memory("bedroom", b'{"schema":"vser.memory/1"}'))


def test_bad_rows_are_set_aside_and_all_others_arrive(tmp_path: Path) -> None:
    state = tmp_path / "state"
    waiting(state)
    with closing(sqlite3.connect(state / "outbox.db")) as db, db:
        db.execute("UPDATE outbox SET topic = 'vser/v1/#/alert' WHERE id = 'm0'")
        db.execute("UPDATE outbox SET payload = 5 WHERE id = 'm1'")
        db.execute("UPDATE outbox SET qos = 9 WHERE id = 'm2'")
        db.execute("UPDATE memory SET document = 'nonsense'")
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        daemon(configuration(tmp_path, broker.port, source=SILENCE, more=NO_REASONER)) as process,
    ):
        wait_for(lambda: len(subscriber.documents("alert")) == 3, within=30, what="the good ones")
        wait_for(lambda: "set aside" in disk_words(subscriber), within=30, what="the condition")
        assert [alert["number"] for alert in subscriber.documents("alert")] == [3, 4, 5]
        assert ends_well(process)


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_ends_no_daemon(tmp_path: Path, seed: int) -> None:
    state = tmp_path / "state"
    waiting(state)
    path = state / "outbox.db"
    (damaged,) = flipped(path.read_bytes(), times=1, seed=seed)
    path.write_bytes(damaged)
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        daemon(configuration(tmp_path, broker.port, source=SILENCE, more=NO_REASONER)) as process,
    ):
        wait_for(lambda: len(subscriber.documents("alert")) >= 5, within=30, what="the good ones")
        assert ends_well(process)


def not_mounted(state: Path) -> None:
    state.symlink_to(state.parent / "disk")


def another_programs(state: Path) -> None:
    state.mkdir()
    with closing(sqlite3.connect(state / "outbox.db")) as db, db:
        db.execute("CREATE TABLE photos (name)")


def a_folder_in_its_place(state: Path) -> None:
    (state / "outbox.db" / "photos").mkdir(parents=True)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (not_mounted, "check its folder"),
        (another_programs, "the database of another program"),
        (a_folder_in_its_place, "check the owner of the file"),
    ],
)
def test_a_place_that_cannot_be_used_is_told_and_a_panic_is_heard_all_the_same(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    state = tmp_path / "state"
    spoil(state)
    before = {path: path.is_dir() or path.read_bytes() for path in state.rglob("*")}
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        daemon(configuration(tmp_path, broker.port, more=NO_REASONER)) as process,
    ):
        wait_for(lambda: says in disk_words(subscriber), within=30, what="the condition")
        wait_for(lambda: panics(subscriber), within=60, what="the panic")
        assert ends_well(process)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert {path: path.is_dir() or path.read_bytes() for path in before} == before


def test_what_was_kept_in_memory_goes_to_the_disk_when_that_works_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    not_mounted(state)
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker) as subscriber,
        daemon(configuration(tmp_path, broker.port, more=NO_REASONER)) as process,
    ):
        wait_for(lambda: disk_words(subscriber), within=30, what="the condition")
        (tmp_path / "disk").mkdir()
        wait_for(lambda: panics(subscriber), within=60, what="the panic")
        wait_for(lambda: not disk_words(subscriber), within=30, what="its end")
        assert ends_well(process)
    with KeptFile(state / "outbox.db") as file:
        assert list(file.records())


def test_the_second_daemon_of_a_state_folder_ends_in_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber:
        config = configuration(tmp_path, broker.port, source=SILENCE, more=NO_REASONER)
        with daemon(config) as first:
            wait_for(lambda: subscriber.documents("health"), within=30, what="the first")
            with daemon(config) as second:
                _, said = second.communicate(timeout=HANGS)
                assert second.returncode == 3
            assert said.count("\n") == 1
            assert "another vser-stream uses the state folder" in said
            assert first.poll() is None
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        with daemon(config) as third:
            heard = len(subscriber.documents("health"))
            wait_for(lambda: len(subscriber.documents("health")) > heard, within=30, what="the third")
            assert ends_well(third)
