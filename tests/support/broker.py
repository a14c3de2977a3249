"""A real Mosquitto on a free port of 127.0.0.1, in a folder of the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from support.patience import HANGS

__all__ = ["Mosquitto", "certificates", "free_port", "shipped_broker"]

_DEPLOY = Path(__file__).parents[2] / "deploy/mosquitto"


class Mosquitto:
    """Running inside ``with``; it can be killed, frozen and started again on its port.

    Args:
        folder: Private, existing; holds configuration, log and data.
        users: Password of each user; without any, everybody may connect.
        acl: Text of the access list.
        tls: Serve TLS only, with the certificates of :func:`certificates`, and ask clients for theirs.
        settings: More lines of mosquitto.conf, also of the listener.
        configuration: A whole mosquitto.conf instead; ``PORT`` and ``FOLDER`` stand for those here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str | None = None,
        tls: bool = False,
        settings: str = "",
        configuration: str | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._folder = folder
        self._users = users or {}
        self._acl = acl
        self._tls = tls
        self._configuration = configuration
        self._settings = [f"persistence_location {folder}/"]
        self._listener_settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._configure()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.thaw()
            self.stop()

    def start(self) -> None:
        """Start it, again on the same port, and wait until it accepts connections."""
        with (self._folder / "mosquitto.log").open("ab") as log:
            command = ["mosquitto", "-c", str(self._folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up = time.monotonic() + HANGS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError((self._folder / "mosquitto.log").read_text())
            time.sleep(0.005)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after :meth:`freeze`."""
        self._signal(signal.SIGCONT)

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Say something as a stranger would."""
        flags = ["-r"] if retain else []
        command = ["mosquitto_pub", "-p", str(self.port), "-q", "1", "-t", topic, "-m", payload, *flags]
        subprocess.run(command, check=True)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        if self._process is not None:
            self._process.wait(HANGS)
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=HANGS).close()
        except ConnectionRefusedError:
            return False
        return True

    def _configure(self) -> None:
        folder, lines = self._folder, self._settings
        # As root it would change to a user who cannot read the folder of the test.
        owner = f"user {'root' if os.geteuid() == 0 else 'mosquitto'}\n"
        lines += [f"allow_anonymous {str(not self._users).lower()}"]
        if self._users:
            passwords = folder / "passwords"
            passwords.touch(0o600)
            for user, password in self._users.items():
                subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, password], check=True)
            lines += [f"password_file {passwords}"]
        if self._acl is not None:
            (folder / "acl").write_text(self._acl)
            lines += [f"acl_file {folder / 'acl'}"]
        lines += [f"listener {self.port} {self.host}"]
        if self._tls:
            certificates(folder)
            lines += [f"certfile {folder / 'server.crt'}", f"keyfile {folder / 'server.key'}"]
            lines += [f"cafile {folder / 'ca.crt'}"]
            lines += ["require_certificate true"]
        lines += [self._listener_settings]
        text = self._configuration or "\n".join(lines) + "\n"
        text = text.replace("PORT", str(self.port)).replace("FOLDER", str(folder))
        (folder / "mosquitto.conf").write_text(text + owner)


def shipped_broker(folder: Path, *, users: Mapping[str, str], tls_port: int | None = None) -> Mosquitto:
    """The broker as Debian and deploy/mosquitto set it up, in ``folder``.

    Args:
        folder: Its certs/ is used as it is; without one, test certificates are made.
        users: Password of each.
        tls_port: Of its encrypted listener.
    """
    if not (folder / "certs").exists():
        (folder / "certs").mkdir()
        certificates(folder / "certs")
    configuration = (_DEPLOY / "mosquitto.conf").read_text()
    for there, here in (
        ("/etc/mosquitto/", "FOLDER/"),
        ("listener 1883 ", "listener PORT "),
        ("listener 8883", f"listener {tls_port or free_port()} 127.0.0.1"),
    ):
        assert there in configuration
        configuration = configuration.replace(there, here)
    # Debian's own mosquitto.conf, which includes ours: a line it may take once only must not be in both.
    debian = "persistence true\npersistence_location FOLDER/\n"
    return Mosquitto(
        folder, users=users, acl=(_DEPLOY / "acl").read_text(), configuration=debian + configuration
    )


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def certificates(folder: Path) -> None:
    """Write ca.crt, and server and client certificates and keys signed by it."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    _openssl(folder, *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=Test authority")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    for name in ("server", "client"):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        _openssl(folder, *key, *signed, *files, "-addext", names)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", "req", "-x509", *arguments], cwd=folder, check=True, capture_output=True)
