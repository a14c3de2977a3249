"""OpenAI-compatible servers: a small one that misbehaves as told, and llama.cpp's own."""

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from support.broker import free_port
from support.daemon import wait_for
from support.http_server import serving

__all__ = ["ChatServer", "Request", "chat_server", "completion", "llama_cpp_server"]

Request = dict[str, Any]


def completion(content: object, **more: object) -> Request:
    """A chat completion as OpenAI documents it."""
    return {
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": content}, **more}],
    }


@dataclass(slots=True)
class ChatServer:
    """What it was asked, and how it answers: a document, raw bytes, or a status."""

    url: str
    answer: Callable[[Request], Request | bytes | int]
    requests: list[Request] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    drip: float = 0.0
    """Pause before each byte of the answer (s)."""


@contextlib.contextmanager
def chat_server(answer: Callable[[Request], Request | bytes | int]) -> Iterator[ChatServer]:
    """Serve on a free port of this box."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.requests.append(request)
            served.keys.append(self.headers["Authorization"])
            said = served.answer(request)
            body = (
                said
                if isinstance(said, bytes)
                else b""
                if isinstance(said, int)
                else json.dumps(said).encode()
            )
            with contextlib.suppress(OSError):  # the caller may have lost patience
                self.send_response(said if isinstance(said, int) else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                for place in range(len(body)) if served.drip else ():
                    time.sleep(served.drip)
                    self.wfile.write(body[place : place + 1])
                if not served.drip:
                    self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url:
        served = ChatServer(f"{url}/v1", answer)
        yield served


@contextlib.contextmanager
def llama_cpp_server(model: Path) -> Iterator[str]:
    """Run llama.cpp's own server with a model; yields its url."""
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--n_ctx", "4096", "--n_threads", "1", "--logits_all", "true"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: _answers(port), within=60, what="llama.cpp's server")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
