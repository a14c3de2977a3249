from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.command import vser_stream
from support.daemon import configuration
from support.decisions import decision
from support.evidence import decisions, evidence_of, model

from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.config.locations import shipped_model


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An agent's configuration, and in its state folder the evidence of real decisions."""
    made = decisions()
    with SqliteOutbox(tmp_path / "state/outbox.db") as outbox:
        other = evidence_of(made[0], made_by="other@1+0123456789ab")
        bare = evidence_of(decision(panic=1.0))
        outbox.commit((), records=(evidence_of(made[0]), evidence_of(made[-1]), other, bare))
    return configuration(tmp_path, 1883)


def spoil(config: Path, statement: str) -> None:
    with closing(sqlite3.connect(config.parent / "state/outbox.db")) as db, db:
        assert db.execute(statement).rowcount > 0


@pytest.mark.parametrize("at", [0, -1])
def test_a_decision_is_reproduced_bit_for_bit(config: Path, at: int) -> None:
    done = vser_stream("rescore", 2 if at else 1, "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    told, then = json.loads(done.stdout), decisions()[at].scored
    assert then is not None
    assert told["exact"] is True
    assert told["then"] == told["now"] == then.by_label


def test_a_record_is_taken_by_whoever_takes_alerts(tmp_path: Path) -> None:
    with SqliteOutbox(tmp_path / "state/outbox.db") as outbox:
        outbox.commit((), records=(evidence_of(decisions()[-1]),))
    file = tmp_path / "record.json"
    file.write_text(vser_stream("records", "export", "--config", configuration(tmp_path, 1883)).stdout)
    bundle = json.loads(vser_stream("fhir", file).stdout)
    assert "alarm-raised" in json.dumps(bundle)
    explained = vser_stream("rules", "explain", "--evidence", file, "--json")
    assert explained.returncode == 0, explained.stderr


def test_a_record_that_went_elsewhere_is_reproduced_there(config: Path, tmp_path: Path) -> None:
    line = vser_stream("records", "export", "--config", config).stdout.splitlines()[0]
    file = tmp_path / "record.json"
    file.write_text(line)
    assert "bit for bit: calm" in vser_stream("rescore", file).stdout
    command = [sys.executable, "-m", "vser_stream", "rescore", "-"]
    piped = subprocess.run(command, input=line, capture_output=True, text=True, check=True)
    assert piped.stdout.startswith("record -: the SVM gives the same result, bit for bit")
    file.write_text(line.replace('"kind": "', '"kind": "x'))
    changed = vser_stream("rescore", file)
    assert (changed.returncode, changed.stdout, "was changed, its hash differs" in changed.stderr) == (
        4,
        "",
        True,
    )


def test_another_model_is_named(config: Path) -> None:
    done = vser_stream("rescore", 3, "--config", config)
    words = f"scored by other@1+0123456789ab, this is {model().identity}"
    assert (done.returncode, done.stdout, words in done.stderr) == (3, "", True)


def test_the_model_can_be_given_from_elsewhere(config: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(shipped_model(), tmp_path / "copy")
    assert vser_stream("rescore", 1, "--config", config, "--model", copy).returncode == 0


@pytest.mark.parametrize(
    ("record", "code", "words"),
    [
        ("4", 4, "no feature rows"),
        ("9", 2, "no record 9"),
        ("none.json", 4, "none.json: cannot be read"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(config: Path, record: str, code: int, words: str) -> None:
    done = vser_stream("rescore", record, "--config", config)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert words in done.stderr


def test_a_record_by_its_id_needs_to_know_whose() -> None:
    done = vser_stream("rescore", 1)
    assert (done.returncode, "needs --config FILE" in done.stderr) == (2, True)


def test_records_are_listed_and_the_chain_is_verified(config: Path) -> None:
    listed = [
        json.loads(line)
        for line in vser_stream("records", "ls", "--json", "--config", config).stdout.splitlines()
    ]
    assert [(one["id"], one["source"], one["event"]) for one in listed] == [
        (n, "bed", "raised") for n in range(1, 5)
    ]
    assert "raised" in vser_stream("records", "ls", "--config", config).stdout
    verified = json.loads(vser_stream("records", "verify", "--json", "--config", config).stdout)
    assert verified == {"verified": True, "records": 4, "hash": listed[-1]["hash"]}
    spoil(
        config,
        "UPDATE evidence SET document = CAST(replace(document, 'raised', 'raisee') AS BLOB) WHERE id = 2",
    )
    broken = vser_stream("records", "verify", "--config", config)
    assert (broken.returncode, "audit record 2 was changed" in broken.stderr) == (4, True)


def test_purge_asks_first_and_leaves_a_chain_that_can_be_verified(config: Path) -> None:
    spoil(config, "UPDATE evidence SET created_at = 0 WHERE id <= 3")
    asked = vser_stream("purge", "--config", config)  # nobody answers
    assert (asked.returncode, "the audit records older than 30 days?" in asked.stdout) == (130, True)
    both = vser_stream("purge", "--config", config, "--all", "--older-than", 1)
    assert (both.returncode, "only one of" in both.stderr) == (2, True)
    assert vser_stream("purge", "--config", config, "--yes").stdout == "3 records deleted, 1 left\n"
    assert "1 records, all intact" in vser_stream("records", "verify", "--config", config).stdout
    assert vser_stream("purge", "--config", config, "--all", "--yes").stdout == "1 records deleted, 0 left\n"
