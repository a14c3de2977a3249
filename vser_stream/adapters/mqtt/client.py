"""One connection to an MQTT broker, MQTT 5 where the broker speaks it.

What aiomqtt leaves to its user, and is done here:

- A reused client sends again what it had already reported as failed, so each
  :class:`MqttPublisher` is one connection on a client of its own.
- A lost connection is only seen by whoever reads messages, so a task always does; a
  publication that waits for its acknowledgement then fails at once, not after its timeout.
- The reason code of an acknowledgement is dropped: a message the broker's ACL forbids would
  count as delivered. One publication at a time, so the code belongs to it.
- An opening that is given up leaves a socket, and later a connection nobody knows of.
- Whatever a broker sends, be it nonsense, is an outage of this connection and of nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, NoReturn, Self

import aiomqtt
from paho.mqtt.client import MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from vser_stream.adapters.mqtt.login import secrets
from vser_stream.adapters.mqtt.packets import Limits, bound, fitted, greeting, will_properties
from vser_stream.adapters.mqtt.refusals import (
    HUNG_UP,
    NO_RETAIN,
    NO_SUCH_QOS,
    SESSION_TAKEN,
    UNSPECIFIED,
    UNSUPPORTED_PROTOCOL,
    WHERE_NOT_WHAT,
    WILL_UNFIT,
    denial,
    failure,
    login_refusal,
    refusal,
)
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import MessageRefusedError, MessageUnfitError, PublishError, SessionTakenError
from vser_stream.ports import Clock
from vser_stream.values import Message

__all__ = ["Limits", "MqttPublisher", "Received"]

AT_ONCE = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
"""A small packet after another one would wait 40 ms for the other side to say that it has the first."""

INBOX = 1000
"""Received messages kept for a slow reader; the oldest is dropped (messages)."""

INBOX_BYTES = 4_000_000
"""The same for their payloads together."""

SUCCESSFUL = 128
"""Reason codes from here on are failures."""

_log = logging.getLogger(__name__)

_library = logging.getLogger(f"{__name__}.library")
_library.setLevel(logging.CRITICAL)  # a hostile broker makes it say thousands of lines; we tell what matters


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
        broker: Where to connect, and how to log in; its secrets are read at each connection, so a changed
            one needs no restart.
        client_id: The same at each connection, so that the broker ends a half-dead earlier one; None for
            one the broker makes up.
        will: What the broker publishes when this client vanishes.
        clock: What time it is.

    Raises:
        PublishError: On entering; says in one line what to do.
    """

    def __init__(
        self,
        broker: MqttConfig,
        *,
        client_id: str | None = None,
        will: Message | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._broker, self._client_id, self._clock = broker, client_id, clock
        self._will = will
        self._turn = asyncio.Lock()
        self._inbox: asyncio.Queue[Received | None] = asyncio.Queue(INBOX)
        self._inbox_bytes = 0
        self.will_as_taken: Message | None = None
        """What the broker publishes when we vanish, which may be less than was asked for."""
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
        with contextlib.suppress(Exception):  # whatever the broker still says, nobody is interested any more
            await self._client.__aexit__(None, None, None)
        self._client.abandon()

    async def publish(
        self, message: Message, *, response_topic: str | None = None, correlation: bytes | None = None
    ) -> None:
        """Return once the broker has acknowledged the message.

        Where the broker keeps nothing retained, or takes a lower QoS only, it is sent that way.

        Args:
            message: With QoS 0 nothing is acknowledged, it is only handed to the network.
            response_topic: Where an answer is expected (MQTT 5).
            correlation: What the answer must carry, or what this answer carries (MQTT 5).

        Raises:
            MessageUnfitError: Nothing was sent, or the broker does not take this message.
            MessageRefusedError: The broker does not let us publish on this topic (MQTT 5).
            PublishError: The connection is gone; leave it and open another.
        """
        fit, properties = fitted(
            message,
            self.limits,
            mqtt_5=self.answers,
            now=self._clock.wall(),
            response_topic=response_topic,
            correlation=correlation,
        )
        if message.retain and not message.payload and not fit.retain:
            return  # it would only remove what is not kept
        async with self._turn:
            self._client.refusal = None
            await self._answer(self._client.publish(fit.topic, fit.payload, fit.qos, fit.retain, properties))
            if (code := self._client.refusal) is not None:
                raise self._denied("write", message.topic, code)

    @property
    def limits(self) -> Limits:
        """What the broker takes, as far as it says so."""
        return self._client.limits

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
        reasons = await self._answer(self._client.subscribe(topic, qos=1))
        if len(reasons) != 1:
            what = f"answered one subscription with {len(reasons)} codes"
            raise PublishError(self._line(what, "look into its log, or use another broker"))
        code = reasons[0].value if isinstance(reasons[0], ReasonCode) else reasons[0]
        if code >= SUCCESSFUL:
            raise self._denied("read", topic, code)

    async def received(self) -> AsyncIterator[Received]:
        """Yield what arrives for the subscriptions; ends with the connection."""
        while (message := await self._inbox.get()) is not None:
            self._inbox_bytes -= len(message.payload)
            yield message
        self._inbox.put_nowait(None)

    async def closed(self) -> PublishError:
        """Wait until the connection is lost; return why."""
        return await asyncio.shield(self._reader)

    async def _connect(self) -> _Client:
        """The best the broker takes: MQTT 5 or 3.1.1, and the last will, a lesser one, or none."""
        protocol, will = aiomqtt.ProtocolVersion.V5, self._will
        while True:
            try:
                client = await self._open(protocol, will)
            except aiomqtt.MqttError as exc:
                older, lesser = self._less(exc, protocol, will)
                if (older, lesser) == (protocol, will):
                    raise self._error(exc, "refused the connection", login=True) from exc
                protocol, will = older, lesser
            else:
                self.will_as_taken = will
                return client

    def _less(
        self, exc: aiomqtt.MqttError, protocol: aiomqtt.ProtocolVersion, will: Message | None
    ) -> tuple[aiomqtt.ProtocolVersion, Message | None]:
        """What to ask of a broker that did not take the connection; the same where nothing helps."""
        code = _code(exc)
        hung_up = isinstance(exc.__cause__ or exc.__context__, ConnectionResetError)
        # Some brokers of 3.1.1 choke on the longer greeting of MQTT 5 instead of refusing it.
        choked = hung_up or isinstance(exc.__cause__ or exc.__context__, TimeoutError)
        if protocol == aiomqtt.ProtocolVersion.V5 and (code == UNSUPPORTED_PROTOCOL or choked):
            _log.info("broker does not take MQTT 5, falling back to 3.1.1: host=%s", self._broker.host)
            return aiomqtt.ProtocolVersion.V311, will
        if will is not None and will.retain and code == NO_RETAIN:
            return protocol, replace(will, retain=False)
        if will is not None and will.qos > 0 and code == NO_SUCH_QOS:
            return protocol, replace(will, qos=0)
        if hung_up or code in WILL_UNFIT:
            return protocol, None
        return protocol, will

    async def _open(self, protocol: aiomqtt.ProtocolVersion, will: Message | None) -> _Client:
        client = await self._new_client(protocol, will)
        opening = asyncio.ensure_future(client.__aenter__())
        try:
            # The thread that connects cannot be stopped; what it still opens is closed then.
            await asyncio.shield(opening)
        except BaseException as exc:
            opening.add_done_callback(client.abandon)
            if isinstance(exc, aiomqtt.MqttError) or not isinstance(exc, Exception):
                raise
            raise self._astray(exc) from exc
        return client

    async def _new_client(self, protocol: aiomqtt.ProtocolVersion, will: Message | None) -> _Client:
        broker = self._broker
        password, tls = await asyncio.to_thread(secrets, broker)
        return _Client(
            self._keep,
            broker.host,
            broker.port,
            username=broker.username,
            password=password,
            tls_context=tls,
            identifier=self._client_id,
            protocol=protocol,
            will=will and _will(will, protocol),
            properties=greeting() if protocol == aiomqtt.ProtocolVersion.V5 else None,
            keepalive=broker.keepalive,
            timeout=broker.timeout,
            socket_options=[AT_ONCE],
            logger=_library,
        )

    async def _answer(self, asking: Any) -> Any:
        """Await what the broker answers, or the loss of the connection, whichever is first."""
        asked = asyncio.ensure_future(asking)
        try:
            await asyncio.wait({asked, self._reader}, return_when=asyncio.FIRST_COMPLETED)
            return asked.result() if asked.done() else _raise(self._reader.result())
        except aiomqtt.MqttError as exc:
            raise (await self.closed() if self._client.is_lost else self._error(exc)) from exc
        except PublishError:
            raise
        except Exception as exc:
            raise self._astray(exc) from exc
        finally:
            asked.cancel()

    async def _read(self) -> PublishError:
        lost = await self._client.lost()
        self._keep(None)
        return self._error(lost) if isinstance(lost, aiomqtt.MqttError) else self._astray(lost)

    def _keep(self, message: Received | None) -> None:
        size = len(message.payload) if message else 0
        while self._inbox.full() or self._inbox_bytes + size > INBOX_BYTES:
            oldest = self._inbox.get_nowait()
            self._inbox_bytes -= len(oldest.payload) if oldest else 0
            self.dropped += 1
        self._inbox_bytes += size
        self._inbox.put_nowait(message)

    def _error(
        self, exc: aiomqtt.MqttError, what: str = "ended the connection", *, login: bool = False
    ) -> PublishError:
        code = _code(exc)
        if code is None:
            # aiomqtt hides the cause ("from None") but Python keeps it.
            words = failure(exc.__cause__ or exc.__context__)
            silent = PublishError(f"broker {self._broker.host}:{self._broker.port} {words}")
            silent.hung_up = words is HUNG_UP
            return silent
        why = login_refusal(code, self._client_id) if login else refusal(code)
        error = (SessionTakenError if code == SESSION_TAKEN else PublishError)(self._line(what, why))
        error.code = code
        return error

    def _astray(self, exc: BaseException) -> PublishError:
        """Of an exception the library has no name for: the broker sent nonsense."""
        why = f"{type(exc).__name__}; see its log, or use another broker"
        return PublishError(self._line("sent what MQTT does not allow", why))

    def _denied(self, access: str, topic: str, code: int) -> MessageRefusedError:
        why = denial(code, access=access, topic=topic, username=self._broker.username)
        kind = MessageRefusedError if access == "read" or code in WHERE_NOT_WHAT else MessageUnfitError
        error = kind(self._line(f"refused {access} access to {topic}", why))
        error.code = code
        return error

    def _line(self, what: str, why: str) -> str:
        return f"broker {self._broker.host}:{self._broker.port} {what}: {why}"


class _Client(aiomqtt.Client):
    """aiomqtt's client, plus what it keeps to itself."""

    refusal: int | None = None
    """Failure code of the last acknowledgement."""

    limits = Limits()

    abandoned = False

    def __init__(
        self,
        keep: Callable[[Received], None],
        *args: Any,
        protocol: aiomqtt.ProtocolVersion,
        timeout: float,
        **settings: Any,
    ) -> None:
        super().__init__(*args, protocol=protocol, timeout=timeout, **settings)
        self._keep = keep
        self.protocol = protocol
        self._client.connect_timeout = timeout
        bound(self._client)

    async def __aenter__(self) -> Self:
        # aiomqtt forgets a loss that comes right behind the broker's welcome, and would wait for another.
        lost = self._disconnected
        await super().__aenter__()
        self._disconnected = lost
        return self

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self._disconnected.done()

    async def lost(self) -> BaseException:
        """Wait until the connection is lost; return why."""
        await asyncio.wait({self._disconnected})
        return self._disconnected.exception() or aiomqtt.MqttError("Disconnected")

    def abandon(self, opening: asyncio.Future[Self] | None = None) -> None:
        """Close whatever is still open, now or once ``opening`` came to an end."""
        self.abandoned = True
        self._client.disconnect()
        for outcome in (opening, self._disconnected):
            if outcome is not None and outcome.done() and not outcome.cancelled():
                outcome.exception()  # seen: or asyncio logs that nobody did

    def _on_connect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.limits = Limits.of(properties)
        # Never less often than we want to know, however long the broker would wait.
        self._client._keepalive = min(self._keepalive, self.limits.keepalive or self._keepalive)  # noqa: SLF001 - only settable before
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: Any, userdata: Any, message: MQTTMessage) -> None:  # noqa: ARG002 - paho's signature
        # Through aiomqtt's queue, with its two tasks for each message, a flood of 1,300/s is too much.
        response_topic = getattr(message.properties, "ResponseTopic", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        self._keep(
            Received(message.topic, bytes(message.payload), message.retain, response_topic, correlation)
        )

    def _on_disconnect(self, *args: Any) -> None:
        if self._connected.cancelled():  # nobody waits for it any more, which aiomqtt does not expect
            return
        if not self._connected.done() and not self.abandoned:  # aiomqtt would wait for its timeout
            error = aiomqtt.MqttError("Disconnected before the broker answered")
            error.__cause__ = ConnectionResetError()
            self._connected.set_exception(error)
        super()._on_disconnect(*args)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ARG002 - paho's signature
        # aiomqtt keeps the bare number until the next turn of the loop: closed by then, or somebody else's.
        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), write)

        def write() -> None:
            with self._ending():
                client.loop_write()

        self._loop.call_soon_threadsafe(register)

    async def _misc_loop(self) -> None:
        with self._ending():
            await super()._misc_loop()

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """An exception of the library ends the connection, as aiomqtt does where it reads."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - whatever a broker's packets do to the library
            if not self._disconnected.done():
                self._disconnected.set_exception(exc)

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        if reason_code.is_failure:
            self.refusal = reason_code.value
        super()._on_publish(client, userdata, mid, reason_code, properties)


def _will(message: Message, protocol: aiomqtt.ProtocolVersion) -> aiomqtt.Will:
    properties = will_properties(message) if protocol == aiomqtt.ProtocolVersion.V5 else None
    return aiomqtt.Will(message.topic, message.payload, message.qos, message.retain, properties)


def _raise(error: PublishError) -> NoReturn:
    raise error


def _code(exc: BaseException | None) -> int | None:
    """The broker's reason code, wherever in the chain of causes; None when it gave none."""
    while exc is not None:
        rc = exc.rc if isinstance(exc, aiomqtt.MqttCodeError) else None
        if isinstance(rc, ReasonCode) and rc.value != UNSPECIFIED:
            return rc.value
        exc = exc.__cause__ or exc.__context__
    return None
