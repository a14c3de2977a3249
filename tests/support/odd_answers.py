"""What a chat server may answer that is no chat completion, or only nearly one; the same for each seed."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.chat_server import completion
from support.http_server import serving

__all__ = ["answering", "odd_answer"]

ODD: list[Any] = [
    True, False, None, 0, -1, 1e308, -1e308, 10**400, float("nan"), float("inf"), "", "x", "\ud800", "\x00",
    "\u202e", "<script>", [], {}, [[]], [None], [True], {"label": True}, [{"type": "text"}], [{"text": "x"}],
    [{"type": "text", "text": 7}], "9" * 5000, "{" * 2000, '{"a":' * 1500, "[" * 100_000,
    '{"label": "panic", "rationale": "\\ud83d"}', '{"label": "PANIC"}', '{"label": ["panic"]}',
    '{"label": "panic"} {"label": "calm"}', '```json\n{"label": "angry", "rationale": 1}\n```',
    "<think>" * 1000, '{"label": "panic", "rationale": "' + "pitch " * 140 + '"}',
    '{"label": "panic", "rationale": "z \u0663\u00b2 \u00bd 1e999 -\u221e %s {0} pitch z +1e400 is above"}',
]  # fmt: skip


def odd_answer(seed: int) -> bytes:
    """All bytes of one answer."""
    chance = random.Random(seed)  # noqa: S311 - the same for each seed
    framing = chance.choice(list(FRAMINGS) + ["plain"] * 3)
    return FRAMINGS[framing](_body(chance), chance)


def _body(chance: random.Random) -> bytes:
    text = '{"label": "panic", "rationale": "Pitch level is well above the usual."}'
    said = ('{"', "label", '": "', "panic")
    tokens: list[Any] = [{"token": token, "logprob": -0.1, "top_logprobs": []} for token in said]
    tokens[3]["top_logprobs"] = [{"token": "panic", "logprob": -0.1}, {"token": "calm", "logprob": -2.0}]
    document: Any = completion(text, logprobs={"content": tokens})
    for _ in range(chance.randint(0, 2)):
        document = _replaced(document, chance)
    if chance.random() < 0.05:
        return b'{"choices": ' + b"[" * 200_000
    if chance.random() < 0.05:
        return b'{"choices": [{"message": {"content": "' + b"a" * 3_000_000 + b'"}}]}'
    return json.dumps(document).encode()


def _replaced(document: Any, chance: random.Random) -> Any:
    """The document with something odd at one place of it."""
    if isinstance(document, dict) and document and chance.random() < 0.9:
        key = chance.choice(list(document))
        return {**document, key: _replaced(document[key], chance)}
    if isinstance(document, list) and document and chance.random() < 0.9:
        place = chance.randrange(len(document))
        return [*document[:place], _replaced(document[place], chance), *document[place + 1 :]]
    return chance.choice(ODD)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"


def _plain(body: bytes, length: object = None) -> bytes:
    return OK + f"Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def _flipped(body: bytes, chance: random.Random) -> bytes:
    flipped = bytearray(_plain(body)[:5000])
    for _ in range(chance.randint(1, 9)):
        flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    return bytes(flipped)


FRAMINGS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "plain": lambda body, _: _plain(body),
    "until the end": lambda body, _: OK + b"\r\n" + body,
    "chunked": lambda body, _: CHUNKED + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
    "negative chunk": lambda body, _: CHUNKED + b"-5\r\n" + body + b"\r\n0\r\n\r\n",
    "no chunk": lambda body, _: CHUNKED + b"zz\r\n" + body,
    "huge chunk": lambda body, _: CHUNKED + b"ffffffffffff\r\n" + body,
    "short": lambda body, _: _plain(body, len(body) // 2),
    "long": lambda body, _: _plain(body, len(body) + 9),
    "negative length": lambda body, _: _plain(body, -7),
    "odd length": lambda body, _: _plain(body, "many"),
    "two lengths": lambda body, _: OK + b"Content-Length: 3\r\n" + _plain(body).removeprefix(OK),
    "statuses": lambda body, chance: b"HTTP/1.1 100 Continue\r\n\r\n" * chance.randint(1, 300) + _plain(body),
    "redirect": lambda *_: REDIRECT,
    "long header": lambda body, _: OK + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n" + body,
    "headers": lambda body, chance: OK + b"X: y\r\n" * chance.choice([150, 100_000]) + b"\r\n" + body,
    "garbage": lambda _, chance: chance.randbytes(chance.randint(1, 3000)),
    "flipped": _flipped,
    "cut": lambda body, chance: _plain(body)[: chance.randrange(min(len(body), 2000))],
    "nothing": lambda *_: b"",
}


@contextlib.contextmanager
def answering(answer: Callable[[], bytes]) -> Iterator[str]:
    """Serve whatever bytes the test likes, and hang up; yields the url up to ``/v1``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            with contextlib.suppress(OSError):  # the caller may have hung up
                self.wfile.write(answer())

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url:
        yield f"{url}/v1"
