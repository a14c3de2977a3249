"""What systemd is told of this service, see sd_notify(3): one datagram for each state."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["ServiceManager"]

_log = logging.getLogger(__name__)


class ServiceManager:
    """Who started this process and wants to know how it fares; without systemd nobody is told.

    Args:
        environ: Where systemd leaves its address.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract socket, see unix(7).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog = int(environ.get("WATCHDOG_USEC", "0")) / 1e6
        """Longest time between two signs of life before this process is ended (s); 0 for any."""

    def ready(self, status: str) -> None:
        """The service does its work, or does it again after :meth:`reloading`."""
        self._tell("READY=1", _status(status))

    def status(self, words: str) -> None:
        """One line for ``systemctl status``."""
        self._tell(_status(words))

    def alive(self) -> None:
        """Sign of life, once it was earned."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is read again; :meth:`ready` must follow."""
        # systemd 253 and later tell by the time whether this answers their own signal.
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service ends in good order."""
        self._tell("STOPPING=1", _status("stopping"))

    def _tell(self, *assignments: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(1.0)
                line.connect(self._address)
                line.sendall("\n".join(assignments).encode())
        except OSError as exc:
            _log.warning("sd_notify failed: message=%s error=%s", assignments[0], exc)


def _status(words: str) -> str:
    return "STATUS=" + " ".join(words.split())
