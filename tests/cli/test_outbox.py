from __future__ import annotations

import json
import time
from pathlib import Path

from support import documents
from support.broker import Mosquitto
from support.command import vser_stream
from support.daemon import Subscriber, configuration, wait_for

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.wire.documents import message_of
from vser_stream.values import Message


def alert(name: str, *, seconds_ago: float) -> Message:
    published_at = time.time() - seconds_ago
    return message_of(documents.alert(published_at=published_at, id=name, site="test", source="bed"), name)


def test_what_waits_is_listed_and_published_by_hand(tmp_path: Path, server: Mosquitto) -> None:
    config = configuration(tmp_path, server.port)
    with SqliteOutbox(tmp_path / "state/outbox.db") as outbox:
        outbox.put(alert("old", seconds_ago=60))
        outbox.put(alert("new", seconds_ago=-60))  # starting commands takes its time
        listed = vser_stream("outbox", "ls", "--json", "--config", config).stdout.splitlines()
        assert [json.loads(line)["id"] for line in listed] == ["old", "new"]
        refused = vser_stream("outbox", "flush", "--config", config)
        assert (refused.returncode, "stop it first" in refused.stderr) == (2, True)
    server.publish("vser/v1/test/status", "here", retain=True)
    with Subscriber(server) as subscriber:
        wait_for(subscriber.statuses, within=5, what="subscribed")
        done = vser_stream("outbox", "flush", "--json", "--config", config)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"sent": 2, "left": 0})
        wait_for(lambda: len(subscriber.documents("alert")) == 2, within=5, what="both arrive")
    assert [(one["id"], one.get("late", False)) for one in subscriber.documents("alert")] == [
        ("old", True),
        ("new", False),
    ]


def test_what_the_broker_does_not_take_stays(tmp_path: Path) -> None:
    folder = tmp_path / "strict"
    folder.mkdir()
    path = tmp_path / "state/outbox.db"
    with Mosquitto(folder, acl="topic write vser/v1/test/bed/state\n") as server:
        config = configuration(tmp_path, server.port)
        with SqliteOutbox(path) as outbox:
            outbox.put(alert("a", seconds_ago=0))
            outbox.put(Message("vser/v1/test/bed/state", b"{}", 1, retain=True, id="s"))
        refused = vser_stream("outbox", "flush", "--config", config)
        assert (refused.returncode, refused.stdout) == (5, "1 messages delivered, 1 left\n")
    away = vser_stream("outbox", "flush", "--config", config)
    assert (away.returncode, away.stdout) == (5, "")
    with SqliteOutbox(path) as outbox:
        assert [m.id for m in outbox] == ["a"]
