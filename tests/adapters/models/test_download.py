import contextlib
import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest
from support.broker import free_port
from support.file_server import FileServer, file_server
from support.http_server import serving

from vser_stream.adapters.models.download import Remote, _Redirects, fetch
from vser_stream.errors import ConfigError, DownloadError, ModelError, UserError

CONTENT = np.random.default_rng(1).bytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PART = f"some.gguf.{SHA256[:12]}.part"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(CONTENT) as served:
        yield served


def fetched(server: FileServer, folder: Path, **more: int) -> bytes:
    steps: list[int] = []
    path = fetch(Remote(server.url, SHA256, **more), folder, progress=lambda done, _: steps.append(done))
    assert steps == sorted(steps)
    assert [file.name for file in folder.iterdir()] == ["some.gguf"]
    return path.read_bytes()


def test_a_file_arrives_whole(server: FileServer, tmp_path: Path) -> None:
    assert fetched(server, tmp_path / "new") == CONTENT


def test_a_file_that_is_there_already_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    fetched(server, tmp_path)
    fetched(server, tmp_path)
    assert len(server.asked) == 1


def test_a_file_cut_in_the_middle_goes_on_from_there(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = 400_000
    assert fetched(server, tmp_path) == CONTENT
    assert server.asked == [None, "bytes=400000-", "bytes=800000-"]


def test_what_an_earlier_attempt_left_is_used(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(CONTENT[:600_000])
    assert fetched(server, tmp_path) == CONTENT
    assert server.asked == ["bytes=600000-"]


def test_what_was_complete_but_never_checked_is_checked(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(CONTENT)
    assert fetched(server, tmp_path) == CONTENT


def test_a_server_that_cannot_go_on_begins_anew(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / PART).write_bytes(b"x" * 600_000)
    assert fetched(server, tmp_path) == CONTENT


def test_wrong_bytes_are_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(ModelError, match=r"expected .*; deleted"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert fetched(server, tmp_path) == CONTENT


def test_a_file_of_somebody_else_with_that_name_stays(server: FileServer, tmp_path: Path) -> None:
    mine = {"some.gguf": b"mine", "some.gguf.part": b"mine too"}
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="exists with other contents"):
        fetched(server, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == mine


def test_a_server_that_stays_away_is_an_error_and_what_arrived_is_kept(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / PART).write_bytes(CONTENT[:600_000])
    server.status = 503
    with pytest.raises(DownloadError, match="600000 bytes are stored; run the command again"):
        fetched(server, tmp_path)
    assert (tmp_path / PART).read_bytes() == CONTENT[:600_000]


def test_nobody_at_the_address_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused"):
        fetch(Remote(f"http://127.0.0.1:{free_port()}/x", SHA256), tmp_path, progress=lambda *_: None)


def test_an_address_without_the_file_is_an_error_at_once(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match="HTTP 404; check the address"):
        fetched(server, tmp_path)
    assert len(server.asked) == 1


def test_a_disk_without_the_room_is_told_before_anything_arrives(server: FileServer, tmp_path: Path) -> None:
    server.tells_length = False
    with pytest.raises(ConfigError, match="MiB more are needed"):
        fetched(server, tmp_path, size=2**60)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://host/file", "http://host/", "nonsense", "http://[::1/file", "http:///file",
        "http://host/..", "http://host/a b", "http://host/phòng", "http://host:99999/file", "http://host/a\x00b",
        "http://host/a\r\nX: y", f"http://{'a' * 70}.example/file", "http://a..b/file", "",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no address of a file"):
        fetch(Remote(url, SHA256), tmp_path, progress=lambda *_: None)


@pytest.mark.parametrize("where", ["ftp://127.0.0.1/some.gguf", "file:///etc/passwd", "//["])
def test_a_server_that_leads_away_from_the_web_is_not_followed(where: str, tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", where)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with serving(Handler) as url, pytest.raises((DownloadError, UserError), match=r"check|is no address"):
        fetch(Remote(f"{url}/some.gguf", SHA256), tmp_path, progress=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_from_https_only_https_is_gone_on_with() -> None:
    follow = partial(_Redirects().redirect_request, fp=None, code=302, msg="", headers={})
    for target, good in (("https://b.example/x", True), ("http://b.example/x", False), ("HTTP://b/x", False)):
        with contextlib.nullcontext() if good else pytest.raises(DownloadError, match="not followed"):
            request = follow(Request("https://a.example/x"), newurl=target)
            assert request is not None
            assert request.full_url == target
    assert follow(Request("http://a.example/x"), newurl="http://b.example/x") is not None


def test_a_folder_that_cannot_be_written_to_is_an_error(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another folder"):
        fetch(Remote(server.url, SHA256), tmp_path / "file", progress=lambda *_: None)
