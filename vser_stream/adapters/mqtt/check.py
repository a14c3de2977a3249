"""The way to a broker step by step, so that the one that fails can be named."""

from __future__ import annotations

import socket

from vser_stream.adapters.mqtt.login import secrets
from vser_stream.adapters.mqtt.refusals import failure
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError

__all__ = ["connects", "encrypts", "resolves"]


def resolves(broker: MqttConfig) -> str:
    """Return the address of the broker.

    Raises:
        PublishError: It has none.
    """
    try:
        return str(socket.getaddrinfo(broker.host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as exc:
        raise _error(broker, exc) from exc


def connects(broker: MqttConfig) -> str:
    """Open a TCP connection and close it; return where.

    Raises:
        PublishError: Nobody answers there.
    """
    _connection(broker).close()
    return f"port {broker.port}"


def encrypts(broker: MqttConfig) -> str:
    """Agree on a TLS version; return it.

    Raises:
        PublishError: One side does not trust the other, or does not speak TLS.
    """
    tls = secrets(broker)[1] if broker.tls else None
    if tls is None:
        return "not configured: traffic is not encrypted"
    with _connection(broker) as connection:
        try:
            with tls.wrap_socket(connection, server_hostname=broker.host) as encrypted:
                return str(encrypted.version())
        except OSError as exc:
            raise _error(broker, exc) from exc


def _connection(broker: MqttConfig) -> socket.socket:
    try:
        return socket.create_connection((broker.host, broker.port), timeout=broker.timeout)
    except OSError as exc:
        raise _error(broker, exc) from exc


def _error(broker: MqttConfig, cause: OSError) -> PublishError:
    return PublishError(f"broker {broker.host}:{broker.port} {failure(cause)}")
