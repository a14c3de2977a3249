import json
from typing import Any

import pytest
from support.decisions import START

from vser_stream.core.messages import utc
from vser_stream.runtime.metrics import latency_of
from vser_stream.values import Message


def told(topic: str = "vser/v1/home/bed/alert", **alert: Any) -> Message:
    document = {"event": "raised", "ended_at": utc(START).isoformat()} | alert
    return Message(topic=topic, payload=json.dumps(document).encode(), qos=1, retain=False, id="a")


@pytest.mark.parametrize("event", ["raised", "escalated"])
def test_latency_is_that_of_alerts_somebody_waits_for(event: str) -> None:
    assert latency_of(told(event=event), START + 0.25) == 0.25


def test_its_sum_never_falls_whatever_the_clock_does() -> None:
    assert latency_of(told(), START - 3600.0) == 0.0


@pytest.mark.parametrize(
    "message",
    [
        told(event="reminder"),
        told(event="cleared"),
        told("vser/v1/home/bed/state"),
        told(ended_at="soon"),
        told(ended_at=None),
        Message(topic="vser/v1/home/bed/alert", payload=b"\xff", qos=1, retain=False, id="a"),
    ],
)
def test_what_is_no_news_or_damaged_has_none(message: Message) -> None:
    assert latency_of(message, START) is None
