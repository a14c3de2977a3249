"""A web server with one file, which may cut it off, change it, or begin at the start only."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.http_server import serving

__all__ = ["FileServer", "file_server"]


@dataclass(slots=True)
class FileServer:
    url: str
    content: bytes
    ranges: bool = True
    """Whether it can begin in the middle."""

    cut_after: int | None = None
    """Bytes of each answer after which it closes the connection."""

    status: int | None = None
    """Answered instead of the file."""

    tells_length: bool = True
    asked: list[str | None] = field(default_factory=list)
    """The Range of each request."""


@contextlib.contextmanager
def file_server(content: bytes) -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            served.asked.append(wanted)
            start = int(re.findall(r"\d+", wanted)[0]) if wanted and served.ranges else 0
            body = served.content[start:]
            partial = 206 if wanted and served.ranges else 200
            past_end = 416 if start >= len(served.content) else None
            self.send_response(served.status or past_end or partial)
            if served.tells_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if served.status is None:
                with contextlib.suppress(OSError):
                    self.wfile.write(body[: served.cut_after])

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url:
        served = FileServer(f"{url}/models/some.gguf", content)
        yield served
