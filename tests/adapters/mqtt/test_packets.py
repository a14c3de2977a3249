from __future__ import annotations

import contextlib
import socket
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from support.decisions import START
from support.hostile_broker import publication
from support.mqtt import message

from vser_stream.adapters.mqtt.packets import UNREAD, Limits, bound, fitted
from vser_stream.errors import MessageUnfitError


def test_acknowledgements_a_broker_never_reads_do_not_pile_up() -> None:
    ours, theirs = socket.socketpair()
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_socket_register_write = lambda *_: None  # never may
    ours.settimeout(0)
    client._sock = ours  # noqa: SLF001 - of a connection that is never made
    bound(client)
    with theirs:
        for number in range(1, 2 * UNREAD):
            theirs.sendall(publication(b"a/b", b"", qos=1, number=number))
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
    assert number == UNREAD + 2


def test_what_a_broker_does_not_take_is_sent_another_way() -> None:
    sent = message("x" * 100, topic="a/b")
    fit, _ = fitted(sent, Limits(retain=False, qos=0), mqtt_5=True, now=START)
    assert (fit.qos, fit.retain, fit.payload) == (0, False, sent.payload)
    _, whole = fitted(sent, Limits(packet=1000), mqtt_5=True, now=START)
    _, bare = fitted(sent, Limits(packet=130), mqtt_5=True, now=START)
    assert (hasattr(whole, "UserProperty"), hasattr(bare, "UserProperty")) == (True, False)
    with pytest.raises(MessageUnfitError, match=r"a/b: 113 bytes, but the broker takes packets of 112"):
        fitted(sent, Limits(packet=112), mqtt_5=True, now=START)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a" * 70_000, "\ud800"])
def test_what_is_no_topic_is_never_sent(topic: str) -> None:
    with pytest.raises(MessageUnfitError, match="cannot be sent"):
        fitted(message("m1", topic=topic), Limits(), mqtt_5=False, now=START)


def test_a_document_nested_too_deep_to_be_looked_into_ends_in_nothing_but_a_refusal() -> None:
    with contextlib.suppress(MessageUnfitError):
        fitted(message('{"a":' * 100_000), Limits(), mqtt_5=True, now=START)


@pytest.mark.parametrize(("now", "left"), [(START, 11), (START + 60.0, 1)])
def test_a_broker_keeps_a_message_as_long_as_somebody_can_use_it(now: float, left: int) -> None:
    _, told = fitted(replace(message("m1"), expires_at=START + 10.2), Limits(), mqtt_5=True, now=now)
    assert told is not None
    assert vars(told)["MessageExpiryInterval"] == left
