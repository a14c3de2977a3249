"""One connection to an MQTT broker, MQTT 5 where the broker speaks it.

What aiomqtt leaves to its user, and is done here:

- A reused client sends again what it had already reported as failed, so each
  :class:`MqttPublisher` is one connection on a client of its own.
- A lost connection is only seen by whoever reads messages, so a task always does; a
  publication that waits for its acknowledgement then fails at once, not after its timeout.
- The reason code of an acknowledgement is dropped: a message the broker's ACL forbids would
  count as delivered. One publication at a time, so the code belongs to it.
- An opening that is given up leaves a socket, and later a connection nobody knows of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from vser_stream.adapters.mqtt_login import Broker, secrets
from vser_stream.adapters.mqtt_reasons import UNSPECIFIED, UNSUPPORTED_PROTOCOL, denial, failure, refusal
from vser_stream.core.cloudevents import attributes_of, content_type_of
from vser_stream.errors import MessageRefusedError, PublishError
from vser_stream.values import Message

__all__ = ["Broker", "MqttPublisher", "Received"]

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A small packet after another one would wait 40 ms for the other side to say that it has the first."""

LARGEST = 65_536
"""Largest packet we take; the broker keeps back larger ones (bytes, MQTT 5)."""

INBOX = 1000
"""Received messages kept for a slow reader; the oldest is dropped (messages)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """A message of somebody else."""

    topic: str
    payload: bytes
    retain: bool
    """It was kept by the broker, not published just now."""

    response_topic: str | None
    """Where its sender waits for an answer (MQTT 5)."""

    correlation: bytes | None
    """What the answer must carry (MQTT 5)."""


class MqttPublisher:
    """An async context manager: entering connects, leaving disconnects.

    Leaving in good order tells the broker to forget the last will. Leaving by any error but
    :class:`PublishError`, a cancellation included, publishes the last will itself first.

    Args:
        broker: Where to connect.
        will: What the broker publishes when this client vanishes.

    Raises:
        PublishError: On entering; says in one line what to do.
    """

    def __init__(self, broker: Broker, *, will: Message | None = None) -> None:
        self._broker = broker
        self._will = will
        self._turn = asyncio.Lock()
        self._inbox: asyncio.Queue[Received | None] = asyncio.Queue(INBOX)
        self.dropped = 0
        """Received messages that a slow reader lost."""

    async def __aenter__(self) -> Self:
        self._client = await self._connect()
        self._reader = asyncio.create_task(self._read(), name="mqtt-reader")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        with contextlib.suppress(PublishError):
            if self._will and exc_type and not issubclass(exc_type, PublishError):
                await self.publish(self._will)
        self._reader.cancel()
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)
        self._client.abandon()

    async def publish(
        self, message: Message, *, response_topic: str | None = None, correlation: bytes | None = None
    ) -> None:
        """Return once the broker has acknowledged the message.

        Args:
            message: With QoS 0 nothing is acknowledged, it is only handed to the network.
            response_topic: Where an answer is expected (MQTT 5).
            correlation: What the answer must carry, or what this answer carries (MQTT 5).

        Raises:
            MessageRefusedError: The broker does not take this message (MQTT 5).
            PublishError: The connection is gone; leave it and open another.
        """
        async with self._turn:
            self._client.refusal = None
            await self._answer(
                self._client.publish(
                    message.topic,
                    message.payload,
                    message.qos,
                    message.retain,
                    _properties(message, self._client.protocol, response_topic, correlation),
                )
            )
            if self._client.refusal is not None:
                raise self._denied("write", message.topic, self._client.refusal)

    @property
    def answers(self) -> bool:
        """Whether a command can be answered: the broker speaks MQTT 5."""
        return self._client.protocol == aiomqtt.ProtocolVersion.V5

    async def answer(self, received: Received, message: Message) -> None:
        """Publish ``message`` as the answer to ``received``; raises as :meth:`publish`."""
        await self.publish(message, correlation=received.correlation)

    async def subscribe(self, topic: str) -> None:
        """Ask for the messages of a topic, with QoS 1.

        Raises:
            MessageRefusedError: The broker does not allow it.
            PublishError: The connection is gone.
        """
        (reason,) = await self._answer(self._client.subscribe(topic, qos=1))
        code = reason.value if isinstance(reason, ReasonCode) else reason
        if code >= 128:  # noqa: PLR2004 - MQTT: from here on codes are failures
            raise self._denied("read", topic, code)

    async def received(self) -> AsyncIterator[Received]:
        """Yield what arrives for the subscriptions; ends with the connection."""
        while (message := await self._inbox.get()) is not None:
            yield message
        self._inbox.put_nowait(None)

    async def closed(self) -> PublishError:
        """Wait until the connection is lost; return why."""
        return await asyncio.shield(self._reader)

    async def _connect(self) -> _Client:
        try:
            return await self._open(aiomqtt.ProtocolVersion.V5)
        except aiomqtt.MqttError as exc:
            # Some brokers of 3.1.1 choke on the longer greeting of MQTT 5 instead of refusing it.
            choked = isinstance(exc.__cause__ or exc.__context__, TimeoutError | ConnectionResetError)
            if _code(exc) != UNSUPPORTED_PROTOCOL and not choked:
                raise self._error(exc, "refused the connection") from exc
        _log.info("broker does not take MQTT 5, falling back to 3.1.1: host=%s", self._broker.host)
        try:
            return await self._open(aiomqtt.ProtocolVersion.V311)
        except aiomqtt.MqttError as exc:
            raise self._error(exc, "refused the connection") from exc

    async def _open(self, protocol: aiomqtt.ProtocolVersion) -> _Client:
        client = await self._new_client(protocol)
        opening = asyncio.ensure_future(client.__aenter__())
        try:
            # The thread that connects cannot be stopped; what it still opens is closed then.
            await asyncio.shield(opening)
        except BaseException:
            opening.add_done_callback(client.abandon)
            raise
        return client

    async def _new_client(self, protocol: aiomqtt.ProtocolVersion) -> _Client:
        broker, will = self._broker, self._will
        password, tls = await asyncio.to_thread(secrets, broker)
        return _Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=password,
            tls_context=tls,
            identifier=broker.client_id,
            protocol=protocol,
            will=will and _will(will, protocol),
            properties=_greeting(protocol),
            keepalive=broker.keepalive,
            timeout=broker.timeout,
            max_queued_incoming_messages=INBOX,
            socket_options=[AT_ONCE],
        )

    async def _answer(self, asking: Any) -> Any:
        """Await what the broker answers, or the loss of the connection, whichever is first."""
        asked = asyncio.ensure_future(asking)
        try:
            await asyncio.wait({asked, self._reader}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise self._reader.result()
            return asked.result()
        except aiomqtt.MqttError as exc:
            raise self._error(exc) from exc
        finally:
            asked.cancel()

    async def _read(self) -> PublishError:
        try:
            async for message in self._client.messages:
                self._keep(_received(message))
        except aiomqtt.MqttError as exc:
            return self._error(exc)
        finally:
            self._keep(None)
        raise AssertionError("aiomqtt's messages end with an error")

    def _keep(self, message: Received | None) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
            self.dropped += 1
        self._inbox.put_nowait(message)

    def _error(self, exc: aiomqtt.MqttError, what: str = "ended the connection") -> PublishError:
        code = _code(exc)
        if code is not None:
            return PublishError(self._line(what, refusal(code)))
        # aiomqtt hides the cause ("from None") but Python keeps it.
        words = failure(exc.__cause__ or exc.__context__)
        return PublishError(f"broker {self._broker.host}:{self._broker.port} {words}")

    def _denied(self, access: str, topic: str, code: int) -> MessageRefusedError:
        why = denial(code, access=access, topic=topic, username=self._broker.username)
        return MessageRefusedError(self._line(f"refused {access} access to {topic}", why))

    def _line(self, what: str, why: str) -> str:
        return f"broker {self._broker.host}:{self._broker.port} {what}: {why}"


class _Client(aiomqtt.Client):
    """aiomqtt's client, plus what it keeps to itself."""

    refusal: int | None = None
    """Failure code of the last acknowledgement."""

    abandoned = False

    def __init__(
        self, *args: Any, protocol: aiomqtt.ProtocolVersion, timeout: float, **settings: Any
    ) -> None:
        super().__init__(*args, protocol=protocol, timeout=timeout, **settings)
        self.protocol = protocol
        self._client.connect_timeout = timeout

    def abandon(self, opening: asyncio.Future[Self] | None = None) -> None:
        """Close whatever is still open, now or once ``opening`` came to an end."""
        self.abandoned = True
        self._client.disconnect()
        for outcome in (opening, self._disconnected):
            if outcome is not None and outcome.done() and not outcome.cancelled():
                outcome.exception()  # seen: or asyncio logs that nobody did

    def _on_disconnect(self, *args: Any) -> None:
        if not self._connected.done() and not self.abandoned:  # aiomqtt would wait for its timeout
            error = aiomqtt.MqttError("Disconnected before the broker answered")
            error.__cause__ = ConnectionResetError()
            self._connected.set_exception(error)
        super()._on_disconnect(*args)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ARG002 - paho's signature
        # aiomqtt keeps the bare number until the next turn of the loop: closed by then, or somebody else's.
        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), client.loop_write)

        self._loop.call_soon_threadsafe(register)

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.is_failure:
            self.refusal = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)


def _greeting(protocol: aiomqtt.ProtocolVersion) -> Properties | None:
    """What the broker must know of us: it keeps back what is larger than we take."""
    if protocol != aiomqtt.ProtocolVersion.V5:
        return None
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho annotates not all
    properties.MaximumPacketSize = LARGEST
    return properties


def _will(message: Message, protocol: aiomqtt.ProtocolVersion) -> aiomqtt.Will:
    properties = None
    if protocol == aiomqtt.ProtocolVersion.V5:
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]  # paho annotates not all
        properties.ContentType = content_type_of(message.payload)
        properties.UserProperty = list(attributes_of(message).items())
    return aiomqtt.Will(message.topic, message.payload, message.qos, message.retain, properties)


def _properties(
    message: Message,
    protocol: aiomqtt.ProtocolVersion,
    response_topic: str | None,
    correlation: bytes | None,
) -> Properties | None:
    if protocol != aiomqtt.ProtocolVersion.V5:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho annotates not all
    if message.payload:  # without one it only removes what is retained
        properties.ContentType = content_type_of(message.payload)
        properties.UserProperty = list(attributes_of(message).items())
    if message.expires_at is not None:
        properties.MessageExpiryInterval = max(1, math.ceil(message.expires_at - time.time()))
    if response_topic is not None:
        properties.ResponseTopic = response_topic
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


def _received(message: aiomqtt.Message) -> Received:
    payload = message.payload if isinstance(message.payload, bytes) else b""
    response_topic = getattr(message.properties, "ResponseTopic", None)
    correlation = getattr(message.properties, "CorrelationData", None)
    return Received(str(message.topic), payload, message.retain, response_topic, correlation)


def _code(exc: aiomqtt.MqttError) -> int | None:
    """The broker's reason code; None when the broker gave none."""
    coded = exc if isinstance(exc, aiomqtt.MqttCodeError) else exc.__cause__
    rc = coded.rc if isinstance(coded, aiomqtt.MqttCodeError) else None
    return rc.value if isinstance(rc, ReasonCode) and rc.value != UNSPECIFIED else None
