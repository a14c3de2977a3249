import io
import json

from rich.console import Console
from support.decisions import START, decision
from support.ward import Ward

from vser_stream.cli._dashboard import Board
from vser_stream.core.alarm.state import AlarmEvent, Transition
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire.documents import (
    AlarmThreshold,
    Alert,
    Document,
    Health,
    Origin,
    Versions,
    alert_of,
    conditions_of,
    utc,
)
from vser_stream.values import Label


def seen(board: Board) -> str:
    """What is on the screen."""
    screen = Console(file=io.StringIO(), width=110)
    screen.print(board.render(height=10))
    return str(screen.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO


def tell(board: Board, kind: str, document: Document) -> None:
    board.feed(f"vser/v1/home/bed/{kind}", document.model_dump_json().encode())


def listening() -> Board:
    board = Board("home", link="")
    board.feed("vser/v1/home/status", b"online")
    return board


def health(capture: CaptureState, reason: str | None = None) -> Health:
    lost = [Condition(ConditionName.CAPTURE_LOST, "medium", START, reason)] if reason else []
    return Health(
        site="home", source="bed", capture=capture, reason=reason, last_sample_age_s=0.1, level_db=-40.0,
        floor_db=-60.0, restarts=0, gaps=0, dropped_blocks=0, utterances=0, rejected=0,
        baseline_utterances=0, updated_at=utc(START), conditions=conditions_of(lost),
    )  # fmt: skip


def told(event: AlarmEvent, *, alert_id: str = "a1b2c3") -> Alert:
    return alert_of(
        Transition(event, Label.PANIC, decision(panic=0.9, angry=0.1), "one decision at 0.90"),
        origin=Origin("home", "bed", Versions(package="1", model="m")),
        event_id="e",
        alert_id=alert_id,
        seq=1,
        published_at=START,
    )


def test_an_open_alarm_is_shown_first_with_what_to_type() -> None:
    board = listening()
    tell(board, "state", Ward().state())
    first, second, *_ = seen(board).splitlines()
    assert "home" in first
    assert "online" in first
    assert "PANIC in bed" in second
    assert "vser-stream ack a1b2c3 --seq 1" in second


def test_an_alert_is_shown_with_its_reason_and_rationale() -> None:
    board = listening()
    tell(board, "alert", told(AlarmEvent.RAISED))
    screen = seen(board)
    assert "raised" in screen
    assert "one decision at 0.90. Pitch level is far above this voice's calm" in screen


def test_a_source_that_is_not_heard_is_shown_with_the_reason() -> None:
    board = listening()
    tell(board, "health", health(CaptureState.RUNNING))
    assert "█████····· -40 dB" in seen(board)
    tell(board, "health", health(CaptureState.BACKOFF, "no route to host"))
    assert "bed: capture_lost: no route to host" in seen(board)
    assert "backoff" in seen(board)


def test_a_room_in_which_more_or_less_is_asked_for_is_shown_with_the_reason() -> None:
    board = listening()
    usual = AlarmThreshold(level=Label.ANGRY, distress=5.6, usual=5.6, reason="as shipped")
    here = AlarmThreshold(level=Label.PANIC, distress=6.1, usual=5.6, reason="2 false alarms a day allowed")
    running = health(CaptureState.RUNNING)
    tell(board, "health", running.model_copy(update={"thresholds": (here, usual)}))
    assert "bed: panic from distress 6.1 instead of 5.6: 2 false alarms a day allowed" in seen(board)
    assert "angry from" not in seen(board)


def test_calm_is_only_said_of_a_source_that_is_heard() -> None:
    ward = Ward()
    ward.alert_id = None
    board = listening()
    tell(board, "state", ward.state())
    tell(board, "health", health(CaptureState.BACKOFF, "gone"))
    assert "calm" not in seen(board)
    tell(board, "health", health(CaptureState.RUNNING))
    assert "calm" in seen(board)


def test_silence_is_never_shown_as_calm() -> None:
    board = listening()
    board.feed("vser/v1/home/status", b"offline")
    assert "No source is being monitored at this site" in seen(board)
    board.link = "broker 127.0.0.1:1883 refuses connections"
    assert "Not connected, nothing below is current: broker 127.0.0.1:1883 refuses" in seen(board)


def test_what_is_removed_is_gone() -> None:
    ward = Ward()
    ward.alert_id = None
    board = listening()
    tell(board, "state", ward.state())
    tell(board, "health", health(CaptureState.RUNNING))
    for kind in ("state", "health"):
        board.feed(f"vser/v1/home/bed/{kind}", b"")
    assert "bed" not in seen(board)


def test_an_open_alarm_is_over_by_its_own_event_only() -> None:
    board = listening()
    tell(board, "state", Ward().state())
    for _ in range(2):
        board.feed("vser/v1/home/bed/state", b"")
        assert "PANIC in bed since" in seen(board)
        assert "unknown since" in seen(board)
    tell(board, "alert", told(AlarmEvent.REMINDER))
    tell(board, "alert", told(AlarmEvent.CLEARED, alert_id="other"))
    assert "PANIC in bed since" in seen(board)
    tell(board, "alert", told(AlarmEvent.CLEARED))
    assert "PANIC in bed since" not in seen(board)


def test_an_alarm_whose_state_comes_back_is_shown_as_ever() -> None:
    board = listening()
    tell(board, "state", Ward().state())
    board.feed("vser/v1/home/bed/state", b"")
    tell(board, "state", Ward().state())
    assert "unknown since" not in seen(board)
    assert "vser-stream ack a1b2c3" in seen(board)


def test_nothing_a_stranger_publishes_reaches_the_terminal_raw_or_ends_the_view() -> None:
    board = listening()
    evil = {"condition": "\x1b[2J", "alert_id": "x", "signal": "on", "since": 5, "label": ["calm"]}
    for payload in (json.dumps(evil).encode(), b"[" * 100_000, b"\xff", b"7", b"[bold]"):
        for kind in ("state", "health", "alert"):
            board.feed(f"vser/v1/home/\x1b[2J/{kind}", payload)
    board.feed("vser/v1/home/bed/health", b'{"conditions": [1], "capture": {}, "level_db": "loud"}')
    board.feed("vser/v1/home/status", b"\x1b[2J")
    assert "\x1b" not in seen(board)
