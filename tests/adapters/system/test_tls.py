"""Certificates of another time, over a real handshake: a box without a battery wakes up in 1970."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vser_stream.adapters.models.http_json import ServerAddress
from vser_stream.adapters.models.openai_server import OpenAiServer
from vser_stream.adapters.mqtt.check import encrypts
from vser_stream.config.schema import MqttConfig
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.rules import NO_RULES
from vser_stream.errors import PublishError, ReasonerError

AUTHORITY = """
[ca]
default_ca = one
[one]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def certificate(folder: Path, *, valid: tuple[str, str]) -> None:
    """Write a certificate of localhost, valid between two times (YYYYMMDDHHMMSSZ), signed by itself."""
    (folder / "ca.conf").write_text(AUTHORITY)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    request = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "key"]
    signed = ["ca", "-batch", "-selfsign", "-notext", "-config", "ca.conf", "-keyfile", "key", "-in", "csr"]
    dates = ["-startdate", valid[0], "-enddate", valid[1]]
    for command in ([*request, "-out", "csr"], [*signed, *dates, "-out", "crt"]):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[int]:
    """Shake hands with everybody; yields the port."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "crt", folder / "key")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("valid", "says"),
    [
        (
            ("20900101000000Z", "20910101000000Z"),
            r"is this box's clock right\? It says 20\d\d-",
        ),
        (("20010101000000Z", "20020101000000Z"), "has expired; renew it, unless this box's clock is wrong"),
    ],
)
def test_a_certificate_of_another_time_makes_one_look_at_the_clock(
    tmp_path: Path, valid: tuple[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate(tmp_path, valid=valid)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
    with server(tmp_path) as port:
        broker = MqttConfig(host="localhost", port=port, tls=True, ca_file=tmp_path / "crt")
        with pytest.raises(PublishError, match=says):
            encrypts(broker)
        reasoner = OpenAiServer(ServerAddress(f"https://localhost:{port}/v1"), lambda: Chat(NO_RULES))
        with pytest.raises(ReasonerError, match=says):
            reasoner.prepare()
