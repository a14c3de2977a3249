"""Where an MQTT broker is, and what it takes to log in there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from vser_stream.errors import PublishError

__all__ = ["Broker", "secrets"]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to log in."""

    host: str
    port: int = 1883
    username: str | None = None

    password_file: Path | None = None
    """Read at each connection, so a changed password needs no restart."""

    tls: bool = False

    ca_file: Path | None = None
    """Who signed the broker's certificate; None for the system's authorities."""

    cert_file: Path | None = None
    """Our own certificate, where the broker asks for one."""

    key_file: Path | None = None

    client_id: str | None = None
    """The same at each connection, so the broker ends a half-dead earlier one."""

    keepalive: int = 8
    """A silent network is noticed after twice as long at the latest (s)."""

    timeout: float = 3.0
    """Longest wait for an answer of the broker (s)."""


def secrets(broker: Broker) -> tuple[str | None, ssl.SSLContext | None]:
    """Read the password and the certificates.

    Raises:
        PublishError: A file cannot be read.
    """
    try:
        password = broker.password_file.read_text().rstrip("\r\n") if broker.password_file else None
        tls = ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None
        if tls:
            tls.sslsocket_class = _TlsSocket
        if tls and broker.ca_file:
            # Python >= 3.13 refuses an authority that does not say what its key is for, as one made at
            # home with plain "openssl req -x509" does not. Chain, dates and host are checked all the same.
            tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if tls and broker.cert_file:
            tls.load_cert_chain(broker.cert_file, broker.key_file)
    except (OSError, ValueError) as exc:
        # The text of a ValueError may quote the file.
        reason = exc.strerror if isinstance(exc, OSError) else "not text"
        raise PublishError(
            f"cannot log in to {broker.host}: {reason}; "
            "check that password_file, ca_file, cert_file and key_file exist and can be read"
        ) from None
    return password, tls


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the other side cannot be trusted, which paho forgets to do."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the base class's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
