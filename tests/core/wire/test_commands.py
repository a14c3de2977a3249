import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.wire.commands import (
    COMMANDS,
    LARGEST_COMMAND,
    Ack,
    Address,
    Allowance,
    Feedback,
    Pause,
    Resume,
    Verb,
    address_of,
    is_answer_topic,
    parse,
)
from vser_stream.errors import CommandError

NOW = 1_700_000_000.0


def refusal(verb: str, payload: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        parse(verb, payload, now=NOW)
    return str(caught.value)


def test_each_command_is_read() -> None:
    assert parse("ack", b'{"alert_id": "a1", "seq": 7, "by": "Ana", "id": "c1"}', now=NOW) == Ack(
        alert_id="a1", seq=7, by="Ana", id="c1"
    )
    assert parse("ack", b"", now=NOW) == Ack()
    assert parse("pause", b'{"minutes": 10}', now=NOW) == Pause(minutes=10)
    assert parse("resume", b"{}", now=NOW) == Resume()
    for word in ("true", "false", '"true"', '"false"', '"unsure"'):
        verdict = word.strip('"')
        payload = f'{{"alert_id": "a1", "verdict": {word}}}'.encode()
        assert parse("feedback", payload, now=NOW) == Feedback(alert_id="a1", verdict=verdict)


@pytest.mark.parametrize(
    ("verb", "payload", "words"),
    [
        ("shout", b"{}", "unknown command 'shout'; known: ack, pause, resume, feedback"),
        ("ack", b'{"alertid": "x"}', "unknown field 'alertid'; known: id, by, expires_at, alert_id, seq"),
        ("ack", b"PRESS", "not a JSON object; known fields: id, by, expires_at, alert_id, seq"),
        ("ack", b"[1]", "not a JSON object; known fields: id, by, expires_at, alert_id, seq"),
        ("pause", b"{}", "field 'minutes' is missing"),
        ("pause", b'{"minutes": 1e9}', "minutes: Input should be less than or equal to 240"),
        ("pause", b'{"minutes": 0}', "minutes: Input should be greater than 0"),
        ("feedback", b'{"alert_id": "a", "verdict": "maybe"}', "verdict: Input should be 'true', 'false' or"),
        ("ack", b'{"alert_id": "a1", "seq": 0}', "seq: Input should be greater than or equal to 1"),
        ("ack", b'{"by": "a\\nb"}', "by: String should match pattern"),
        ("ack", b'{"alert_id": "' + b"a" * 65 + b'"}', "alert_id: String should match pattern"),
        ("ack", b" " * (LARGEST_COMMAND + 1), "2049 bytes are too many; send at most 2048"),
        ("ack", b'{"expires_at": "2023-11-14T22:13:19Z"}', "arrived after its expires_at and was ignored"),
        ("ack", b'{"expires_at": "2023-11-14T22:13:19"}', "expires_at: Input should have timezone info"),
    ],
)
def test_what_is_wrong_with_a_command_is_told_in_one_line(verb: str, payload: bytes, words: str) -> None:
    told = refusal(verb, payload)
    assert told.startswith(words)
    assert "\n" not in told


def test_a_command_in_time_is_not_stale() -> None:
    assert parse("resume", b'{"expires_at": "2023-11-14T22:13:20Z"}', now=NOW)


@given(verb=st.sampled_from([*Verb, "x"]), payload=st.binary(max_size=3000) | st.from_regex(rb"\{.*\}"))
def test_no_payload_whatever_ends_in_anything_but_a_command_or_a_refusal(verb: str, payload: bytes) -> None:
    outcome: object
    try:
        outcome = parse(verb, payload, now=NOW)
    except CommandError as refused:
        outcome = str(refused)
    assert len(outcome) < 400 if isinstance(outcome, str) else type(outcome) is COMMANDS[Verb(verb)]


def test_a_command_is_for_the_site_and_source_of_its_topic() -> None:
    assert address_of("vser/v1/home-1/bed/cmd/ack", site="home-1") == Address("bed", "ack")
    others = ["vser/v1/home-2/bed/cmd/ack", "vser/v1/home-1/bed/state", "vser/v1/home-1/bed/cmd/ack/x", "ack"]
    assert [address_of(topic, site="home-1") for topic in others] == [None] * 4


@pytest.mark.parametrize("topic", ["vser/v1/home-1/answers/x", "my/answers", "a"])
def test_answers_go_where_the_sender_listens(topic: str) -> None:
    assert is_answer_topic(topic, site="home-1")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "vser/v1/home-1/status",
        "vser/v1/home-1/bed/state",
        "vser/v1/home-2/answers/x",
        "homeassistant/device/home-1/config",
        "$SYS/x",
        "a/#",
        "a/+",
        "x" * 257,
    ],
)
def test_no_answer_goes_where_documents_are_believed(topic: str) -> None:
    assert not is_answer_topic(topic, site="home-1")


def test_a_flood_is_cut_to_the_lasting_rate() -> None:
    allowance = Allowance(rate=2.0, burst=5)
    assert [allowance.take(100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert [allowance.take(101.0) for _ in range(3)] == [True, True, False]
    assert sum(allowance.take(102.0 + n / 100) for n in range(1000)) in {20, 21, 22}
