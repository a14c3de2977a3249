"""What goes into an MQTT packet and how much may come out of one: the broker's limits, and ours.

A broker is a peer like any other: what it declares and sends is bounded before it is kept.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from vser_stream.core.wire.cloudevents import attributes_of, content_type_of
from vser_stream.errors import MessageUnfitError
from vser_stream.values import Message

__all__ = ["LARGEST", "Limits", "bound", "fitted", "greeting", "will_properties"]

LARGEST = 65_536
"""Largest packet we take; the broker keeps back larger ones (bytes, MQTT 5)."""

UNREAD = 1000
"""Acknowledgements of ours that wait for a broker that does not read them (packets)."""

HALF_WAY = 20
"""Publications of QoS 2 that stand half way; we ask for QoS 1, so an honest broker sends none."""

CANNOT_BE_SENT = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
    MQTTException,
)
"""What comes of a damaged document, a topic that is none, a text longer than MQTT can say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a broker takes, by its own word (MQTT 5, section 3.2.2.3); an older one says nothing."""

    retain: bool = True
    """It keeps retained messages."""

    qos: int = 2
    """Highest quality of service."""

    packet: int | None = None
    """Largest packet (bytes)."""

    keepalive: int | None = None
    """Longest silence it bears (s)."""

    @classmethod
    def of(cls, properties: Properties | None) -> Self:
        """As told when it took the connection."""
        return cls(
            retain=getattr(properties, "RetainAvailable", 1) != 0,
            qos=getattr(properties, "MaximumQoS", 2),
            packet=getattr(properties, "MaximumPacketSize", None) or None,
            keepalive=getattr(properties, "ServerKeepAlive", None) or None,
        )

    def lacks(self) -> Iterator[str]:
        """What it does not do for us, in words that follow "the broker"."""
        if not self.retain:
            yield (
                "does not store retained messages: later subscribers see no state, status or discovery; "
                "enable them"
            )
        if self.qos < 1:
            yield ("supports QoS 0 only: an alert lost on the network is not sent again; enable QoS 1")


def bound(client: paho.Client) -> None:
    """Let ``client`` end a connection over which more comes than we take, before it is kept.

    paho believes any length up to 256 MB, and keeps whatever is half way. All it reads goes
    through one method, which is asked for the whole rest of a packet at once.
    """
    receive = client._sock_recv  # noqa: SLF001 - see above

    def bounded(bufsize: int) -> bytes:
        crowded = len(client._out_packet) > UNREAD or len(client._in_messages) > HALF_WAY  # noqa: SLF001 - see above
        if bufsize > LARGEST or crowded:
            raise ConnectionAbortedError("the broker sends more than was agreed")
        return receive(bufsize)

    client._sock_recv = bounded  # type: ignore[method-assign]  # noqa: SLF001 - see above


def greeting() -> Properties:
    """What the broker must know of us."""
    properties = _properties(PacketTypes.CONNECT)
    properties.MaximumPacketSize = LARGEST
    return properties


def will_properties(message: Message) -> Properties:
    """Of a last will."""
    properties = _properties(PacketTypes.WILLMESSAGE)
    properties.ContentType = content_type_of(message.payload)
    properties.UserProperty = list(attributes_of(message).items())
    return properties


def fitted(
    message: Message,
    limits: Limits,
    *,
    mqtt_5: bool,
    now: float,
    response_topic: str | None = None,
    correlation: bytes | None = None,
) -> tuple[Message, Properties | None]:
    """The message and its properties as this broker takes them.

    Where it is too large with them, it goes without the attributes that the document has too. ``now`` is wall
    time (s).

    Raises:
        MessageUnfitError: It cannot be sent at all, or is too large.
    """
    fit = replace(message, qos=min(message.qos, limits.qos), retain=message.retain and limits.retain)
    try:
        if not fit.topic:
            raise ValueError("no topic")
        paho.Client._raise_for_invalid_topic(fit.topic.encode())  # noqa: SLF001 - before it has an id
        if not mqtt_5:
            return fit, None
        for told in (_attributes(fit), _properties(PacketTypes.PUBLISH)):
            if fit.expires_at is not None:
                told.MessageExpiryInterval = max(1, math.ceil(fit.expires_at - now))
            if response_topic is not None:
                told.ResponseTopic = response_topic
            if correlation is not None:
                told.CorrelationData = correlation
            size = _size(fit, told)
            if limits.packet is None or size <= limits.packet:
                return fit, told
    except CANNOT_BE_SENT as exc:
        raise MessageUnfitError(f"{fit.topic[:128]!r}: cannot be sent ({type(exc).__name__}: {exc})") from exc
    raise MessageUnfitError(
        f"{fit.topic}: {size} bytes, but the broker takes packets of {limits.packet}; raise its packet limit"
    )


def _attributes(message: Message) -> Properties:
    properties = _properties(PacketTypes.PUBLISH)
    if message.payload:  # without one it only removes what is retained
        properties.ContentType = content_type_of(message.payload)
        properties.UserProperty = list(attributes_of(message).items())
    return properties


def _size(message: Message, properties: Properties) -> int:
    """Of the whole packet (bytes): a byte, up to four for its length, topic, number, properties, payload."""
    packed = properties.pack()  # type: ignore[no-untyped-call]  # paho annotates not all
    return 1 + 4 + 2 + len(message.topic.encode()) + 2 + len(packed) + len(message.payload)


def _properties(kind: int) -> Properties:
    return Properties(kind)  # type: ignore[no-untyped-call]  # paho annotates not all
