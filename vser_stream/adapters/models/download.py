"""A big file from the web: resumed where it was cut, and believed only after its checksum.

urllib speaks HTTP and heeds the proxies of the environment. What goes on where it was cut, and what no
redirect may do, would be ours with any client; huggingface_hub knows both, but one site only.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from vser_stream.errors import ConfigError, DownloadError, ModelError, UserError

__all__ = ["Remote", "fetch"]

_SCHEMES = {"http", "https"}

_SILENCE = 30.0
"""A server that says nothing for so long is gone (s)."""

_ATTEMPTS = 5
"""Tries in a row without a single byte; each that brings some starts the count again."""

_PAUSE = 0.5
"""Before the second try; each further one waits as much longer (s)."""

_PIECE = 2**18
"""Read at once (bytes)."""

_ROOM = 64 * 2**20
"""Left free on the disk (bytes)."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on the web and what it must be.

    Args:
        url: Where it is; http or https.
        sha256: Of all of it.
        size: Its length where it is known (bytes).
    """

    url: str
    sha256: str
    size: int | None = None

    @property
    def name(self) -> str:
        """What it is called here.

        Raises:
            UserError: The address ends in no name of a file, or is none of the web.
        """
        try:
            parts = urlsplit(self.url)
            scheme, has_host = parts.scheme, bool(parts.hostname) and parts.port != 0
            name = parts.path.rpartition("/")[2]
        except ValueError:
            scheme, has_host, name = "", False, ""
        is_plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if not (has_host and is_plain and scheme in _SCHEMES) or name in {"", ".", ".."}:
            raise UserError(f"{self.url!a}: is no address of a file; give http(s)://HOST/PATH/FILE")
        return name


def fetch(remote: Remote, folder: Path, *, progress: Callable[[int, int | None], None]) -> Path:
    """Return the file in ``folder``, fetched unless it is there already.

    What has arrived stays in ``FILE.<sha256>.part`` until the checksum is right.

    Args:
        remote: The file.
        folder: Where to put it; made if need be, the folder above it exists.
        progress: Told how much there is and how much there will be, if that is known (bytes).

    Raises:
        ConfigError: The disk is full, or nothing may be written there.
        DownloadError: It cannot be fetched; what has arrived is kept.
        ModelError: It is another file than was meant; nothing of it is kept.
        UserError: The address is none of a file, or another file has its name here.
    """
    target = folder / remote.name
    # Its own name for each content: what another download or somebody else left there is not gone on with.
    part = target.with_name(f"{target.name}.{remote.sha256[:12].lower()}.part")
    try:
        folder.mkdir(exist_ok=True)
        if target.exists():
            _check_same(target, remote)
            return target
        _fill(part, remote, progress)
        if (found := _sha256(part)) != remote.sha256.lower():
            part.unlink()
            raise ModelError(f"{remote.url}: has sha256 {found}, expected {remote.sha256.lower()}; deleted")
        part.replace(target)
    except OSError as exc:
        raise ConfigError(
            f"{target}: cannot be written ({exc.strerror}); choose another folder with --to"
        ) from exc
    return target


def _check_same(target: Path, remote: Remote) -> None:
    if not target.is_file() or _sha256(target) != remote.sha256.lower():
        raise UserError(
            f"{target}: exists with other contents (its sha256 differs); move it away, "
            "or choose another folder with --to"
        )


def _fill(part: Path, remote: Remote, progress: Callable[[int, int | None], None]) -> None:
    failures = 0
    while True:
        before = _length(part)
        try:
            _go_on(part, remote, progress)
        except _CutError as exc:
            failures = 1 if _length(part) > before else failures + 1
            if failures == _ATTEMPTS:
                raise DownloadError(
                    f"{remote.url}: {exc}; {_length(part)} bytes are stored; run the command again to resume"
                ) from exc
            time.sleep(_PAUSE * failures)
        else:
            return


class _CutError(Exception):
    """The connection or the server failed in the middle."""


def _go_on(part: Path, remote: Remote, progress: Callable[[int, int | None], None]) -> None:
    """Fetch what is missing; a server that cannot begin in the middle begins at the start."""
    answer = _open(remote, _length(part))
    if answer is None:
        return
    with answer:
        resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
        length, done = answer.headers.get("Content-Length"), _length(part) if resumed else 0
        total = done + int(length) if length and length.isdecimal() and length.isascii() else remote.size
        _check_room(part.parent, (total or 0) - done)
        with part.open("ab" if resumed else "wb") as file:
            while data := _read(answer):
                file.write(data)
                done += len(data)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise _CutError(f"cut off after {done} of {total} bytes")


def _open(remote: Remote, start: int) -> http.client.HTTPResponse | None:
    """Ask for the file from ``start`` on; None if it has no more."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = Request(remote.url, headers=headers)  # noqa: S310 - http or https, see Remote.name
    try:
        answer: http.client.HTTPResponse = _OPENER.open(request, timeout=_SILENCE)
    except HTTPError as exc:
        exc.close()
        if exc.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        if exc.code < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise DownloadError(f"{remote.url}: HTTP {exc.code}; check the address") from exc
        raise _CutError(f"HTTP {exc.code}") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise _CutError(str(getattr(exc, "reason", exc)) or type(exc).__name__) from exc
    except ValueError as exc:
        raise UserError(f"{remote.url}: is no address of a file ({exc})") from exc
    return answer


class _Redirects(HTTPRedirectHandler):
    """Follows where an address leads on the web, and never from https to less."""

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The request to make instead.

        Raises:
            DownloadError: It may not be made.
        """
        scheme = newurl.partition(":")[0].lower()
        if scheme not in _SCHEMES or (req.type == "https" and scheme != "https"):
            raise DownloadError(
                f"{req.full_url}: leads to {newurl!a}: redirects are not followed; check the address"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_Redirects)


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_PIECE)
    except (OSError, http.client.HTTPException) as exc:
        raise _CutError(str(exc) or type(exc).__name__) from exc


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _ROOM > free:
        raise ConfigError(
            f"{folder}: {needed / 2**20:.0f} MiB more are needed, {free / 2**20:.0f} MiB are free; "
            "choose another folder with --to"
        )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
