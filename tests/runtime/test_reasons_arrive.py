"""The daemon with a reasoner of random weights: who decided, and why, as subscribers receive it."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker import Mosquitto
from support.chat_server import chat_server, completion
from support.daemon import SCENE, Subscriber, configuration, daemon, wait_for
from support.gguf_file import sha256_of, tiny_chat_model
from support.patience import HANGS

from vser_stream.cli.replay import rows_of
from vser_stream.config.loader import load
from vser_stream.runtime.build import Engine
from vser_stream.runtime.reasoning.reasoners import standing_by
from vser_stream.runtime.replay import Replay

ALL_AMBIGUOUS = "[route]\nescalate_below = 1.0\n[publish]\nutterances = true\n"


def configured(folder: Path, port: int, reasoner: str) -> Path:
    path = configuration(folder, port)
    path.write_text(path.read_text() + ALL_AMBIGUOUS + f"[reasoner]\n{reasoner}\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tiny_chat_model(tmp_path_factory.mktemp("model") / "chat.gguf")
    return f'backend = "gguf"\nmodel = "{path}"\nsha256 = "{sha256_of(path)}"'


def begun(alerts: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was raised and escalated; second verdicts come when the reasoner of a busy box is done."""
    return [(one["event"], one["label"]) for one in alerts if one["event"] in {"raised", "escalated"}]


def children(pid: int) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "adapters.models.llama_child"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in found.stdout.split()]


def told_live(config: Path, server: Mosquitto) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Utterances and alerts of the daemon."""
    with Subscriber(server) as told, daemon(config) as process:
        assert process.wait(timeout=HANGS) == 0, process.communicate()[1]
        assert told.documents("health")[-1]["dropped_blocks"] == 0  # else the box was too busy to compare
        return told.documents("utterance"), told.documents("alert")


async def told_in_replay(config: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Utterances and alerts of the same recording, faster."""
    engine = Engine.load(load(config))
    with standing_by(engine.reasoner):
        async with Replay(engine) as replay:
            rows = [row async for row in rows_of(SCENE, replay, engine)]
    utterances, alerts = ([row for row in rows if row["type"] == kind] for kind in ("utterance", "alert"))
    return utterances, alerts


SHOWN = ("start_s", "end_s", "label", "probabilities", "decided_by", "rationale", "rationale_by", "rules")


def shown(utterances: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in SHOWN} for one in utterances]


async def test_what_the_daemon_tells_is_what_a_replay_tells(
    tmp_path: Path, server: Mosquitto, model: str
) -> None:
    # A patient one: this is about what is told, and a busy box is slow.
    config = configured(tmp_path, server.port, f"{model}\ndeadline = 60")
    utterances, alerts = told_live(config, server)
    replayed, replayed_alerts = await told_in_replay(config)
    assert shown(utterances) == shown(replayed)
    # Nobody is asked how somebody speaks who screams.
    spoken = [one for one in utterances if one["parts"]["wordless"] < one["probabilities"]["panic"] / 2]
    assert {one["decided_by"] for one in spoken} == {"llm"}
    assert {one["rationale_by"] for one in spoken} == {"reasoner"}
    assert len(spoken) < len(utterances)
    assert alerts[0]["event"] == "raised"
    assert alerts[0]["versions"]["reasoner"].startswith("chat+")
    assert alerts[0]["versions"]["rules"].startswith("calm-angry-panic@")
    assert begun(alerts) == begun(replayed_alerts)
    assert "amended" in {one["event"] for one in alerts}
    assert {one["event"] for one in replayed_alerts} >= {one["event"] for one in alerts} & {"amended"}


async def test_whoever_answers_too_late_for_the_daemon_is_too_late_for_a_replay(
    tmp_path: Path, server: Mosquitto, model: str
) -> None:
    # An utterance has ended 0.3 s before that is known: this deadline is over then, on any box.
    unattended = "[alarm.panic]\nlatching = false\nescalate_after = []\n"
    config = configured(tmp_path, server.port, f"{model}\ndeadline = 0.1\n{unattended}")
    utterances, alerts = told_live(config, server)
    replayed, replayed_alerts = await told_in_replay(config)
    # Screams need no reasoner.
    assert {one["decided_by"] for one in utterances} == {"fallback", "svm"}
    assert shown(utterances) == shown(replayed)
    assert alerts
    told = ("event", "label", "confidence", "reason", "rationale", "seq", "decided_by")
    assert [{name: one[name] for name in told} for one in alerts] == [
        {name: one[name] for name in told} for one in replayed_alerts
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_dies_or_hangs_costs_no_utterance_and_delays_no_end(
    tmp_path: Path, server: Mosquitto, model: str, number: signal.Signals
) -> None:
    # On a busy box no model would answer within the default 2.5 s, and there would be nothing to lose.
    config = configured(tmp_path, server.port, f"{model}\ndeadline = 12")
    with Subscriber(server) as told, daemon(config) as process:
        wait_for(lambda: told.documents("utterance"), within=60, what="the first utterance")
        (child,) = children(process.pid)
        os.kill(child, number)
        wait_for(
            lambda: {one["decided_by"] for one in told.documents("utterance")} == {"llm", "fallback"},
            within=60,
            what="an utterance left to the SVM",
        )
        wait_for(lambda: told.documents("alert"), within=60, what="the alarm")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANGS) == 0
    assert not Path(f"/proc/{child}").exists()
    assert told.statuses()[-1] == "stopped"


def test_a_server_that_never_answers_costs_no_utterance(tmp_path: Path, server: Mosquitto) -> None:
    go = threading.Event()

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if len(request["messages"]) > 1:
            go.wait(20)
        return completion('{"label": "panic"}')

    with _released(go), chat_server(answer) as slow:
        reasoner = f'backend = "server"\nurl = "{slow.url}"\ndeadline = 1.0'
        with Subscriber(server) as told, daemon(configured(tmp_path, server.port, reasoner)) as process:
            wait_for(lambda: told.documents("alert"), within=60, what="the alarm")
            wait_for(lambda: len(told.documents("utterance")) >= 2, within=60, what="two utterances")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANGS) == 0
        assert {one["decided_by"] for one in told.documents("utterance")} == {"fallback"}


@contextlib.contextmanager
def _released(go: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        go.set()


@pytest.mark.parametrize(
    ("reasoner", "message"),
    [
        ('backend = "server"\nurl = "https://example.com/v1"', "egress"),
        ('backend = "gguf"\nmodel = "nothing.gguf"\nsha256 = "' + "0" * 64 + '"', "cannot be read"),
        ('backend = "gguf"', "needs model and sha256"),
        ('backend = "server"', "needs url"),
    ],
)
def test_a_reasoner_that_can_never_work_is_one_line_at_the_start(
    tmp_path: Path, reasoner: str, message: str
) -> None:
    with daemon(configured(tmp_path, 1, reasoner)) as process:
        _, error = process.communicate(timeout=HANGS)
    assert process.returncode == 3
    assert message in error
