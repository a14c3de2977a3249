import pytest
from support.decisions import START
from support.documents import alert, health, state, utterance

from vser_stream.core.alarm.state import AlarmEvent
from vser_stream.core.wire.documents import message_of
from vser_stream.runtime.watch.daemon_metrics import latency_of
from vser_stream.values import Message

SPEECH_ENDS = START + 3.0


@pytest.mark.parametrize("event", [AlarmEvent.RAISED, AlarmEvent.ESCALATED])
def test_latency_is_that_of_alerts_somebody_waits_for(event: AlarmEvent) -> None:
    assert latency_of(message_of(alert(event), "a"), SPEECH_ENDS + 0.25) == 0.25


def test_its_sum_never_falls_whatever_the_clock_does() -> None:
    assert latency_of(message_of(alert(), "a"), SPEECH_ENDS - 3600.0) == 0.0


@pytest.mark.parametrize(
    "message",
    [
        message_of(alert(AlarmEvent.REMINDER), "a"),
        message_of(alert(AlarmEvent.CLEARED), "a"),
        message_of(state(), "a"),
        message_of(health(), "a"),
        message_of(utterance(), "a"),
        Message(topic="vser/v1/home/bed/alert", payload=b"\xff", qos=1, retain=False, id="a"),
    ],
)
def test_what_is_no_news_has_none(message: Message) -> None:
    assert latency_of(message, SPEECH_ENDS) is None
