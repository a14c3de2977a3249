"""What it takes to log in at an MQTT broker."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vser_stream.adapters.system.tls import trusting
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import PublishError
from vser_stream.files import first_line, regular

__all__ = ["secrets"]

T = TypeVar("T")


def secrets(broker: MqttConfig) -> tuple[str | None, ssl.SSLContext | None]:
    """Read the password and the certificates.

    Raises:
        PublishError: A file cannot be read.
    """
    password = _read(broker, "password_file", first_line) if broker.password_file else None
    if not broker.tls:
        return password, None
    tls = _read(broker, "ca_file", trusting) if broker.ca_file else trusting()
    tls.sslsocket_class = _TlsSocket
    if broker.cert_file:
        _read(broker, "key_file" if broker.key_file else "cert_file", regular)
        _read(broker, "cert_file", lambda path: _present(tls, path, broker.key_file))
    return password, tls


def _read(broker: MqttConfig, name: str, how: Callable[[Path], T]) -> T:
    """Read the file that is given as ``name``, and say which it is where that fails."""
    path: Path = getattr(broker, name)
    try:
        return how(path)
    except (OSError, ValueError) as exc:
        # The text of a ValueError may quote the file.
        reason = exc.strerror if isinstance(exc, OSError) else "cannot be used"
        raise PublishError(
            f"cannot log in to {broker.host}: {name} {path}: {reason}; correct the file or [mqtt] {name}"
        ) from None


def _present(tls: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    def no_passphrase() -> str:  # OpenSSL would ask for it at the terminal, and wait
        raise OSError(errno.EACCES, "its key has a passphrase; give one without")

    tls.load_cert_chain(regular(certificate), key, password=no_passphrase)


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the other side cannot be trusted, which paho forgets to do."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the base class's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
