"""What a single value of the configuration may be, and the words where it may not.

What passes here can be used: no name server, no file and no library is asked later what it thinks of a
value that could have been refused at once. No message repeats a value that may hold a password.
"""

from __future__ import annotations

import ipaddress
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from vser_stream.files import regular

__all__ = [
    "CAMERA_URL",
    "CameraUrl",
    "ConfigPath",
    "FilePath",
    "FolderPath",
    "Host",
    "Number",
    "Port",
    "ServerUrl",
    "Share",
    "Text",
    "Token",
    "Topic",
]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
"""Of a host name; with the low line, which containers have in theirs."""

_LONGEST_URL = 2048

CAMERA_URL = re.compile(
    r"(?P<scheme>rtsps?)://(?:(?P<login>[^/?#]*)@)?(?P<host>\[[^]@]+\]|[^]@:/?#[]+)"
    r"(?P<rest>(?P<port>:\d+)?(?:[/?].*)?)",
    re.IGNORECASE | re.ASCII,
)
"""The scheme is in small or capital letters (RFC 3986, 3.1)."""


def _token(text: str) -> str:
    if _TOKEN.fullmatch(text):
        return text
    raise ValueError(f"{text[:40]!r} may hold only A-Z, a-z, 0-9, _ and -, 64 at most{_suggestion(text)}")


def _suggestion(text: str) -> str:
    """A name that may be used, as near as can be: ``phòng-ngủ`` is ``phong-ngu``."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:64]
    return f"; for example {slug!r}" if slug else ""


def _text(text: str) -> str:
    if text.isprintable():
        return text
    raise ValueError("holds control characters")


def _host(text: str) -> str:
    """A host name or an IP address, without brackets."""
    if "://" in text:
        raise ValueError(f"give the host alone, without {text.partition('://')[0].lower()[:10]}:// before it")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_address(bare):
        return bare
    if ":" in text:
        raise ValueError("give the host alone; what follows its colon goes to port")
    try:
        labels = text.encode("idna").decode().removesuffix(".").split(".")
    except UnicodeError:
        labels = [""]
    # A name server knows no name that ends in a number: that is an address with a slip in it.
    if not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit() or sum(map(len, labels)) > 240:  # noqa: PLR2004
        raise ValueError("is no host name and no IP address")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _camera_url(url: str) -> str:
    found = CAMERA_URL.fullmatch(_url(url))
    if found is None:
        scheme = url.partition("://")[0].lower() if "://" in url else ""
        instead = f" instead of {scheme}://" if scheme.isalpha() and not scheme.startswith("rtsp") else ""
        raise ValueError(
            f"give rtsp://HOST:PORT/PATH or rtsps://{instead}; a user and its password go to username and "
            "password_file"
        )
    _host(found["host"])
    _known_port(found["port"])
    return url


def _known_port(text: str | None) -> None:
    if text is not None and not 0 < int(text[1:7]) < 65536:  # noqa: PLR2004
        raise ValueError("its port is none: give 1 to 65535")


def _server_url(url: str) -> str:
    parts = _split(_url(url))
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("give http(s)://HOST:PORT/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("give http(s)://HOST:PORT/v1 and nothing more; a key goes to api_key_file")
    _host(parts.hostname)
    return url


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return None
    return parts if has_port else None


def _url(url: str) -> str:
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise ValueError(f"is no address: it holds blanks or is longer than {_LONGEST_URL} characters")
    return url


def _topic(text: str) -> str:
    if all(map(_TOKEN.fullmatch, text.split("/"))) and len(text) <= 64:  # noqa: PLR2004
        return text
    raise ValueError("may hold only A-Z, a-z, 0-9, _ and -, and / between; 64 at most")


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    if "\0" in str(path) or path == Path():
        raise ValueError("is no path")
    folder = (info.context or {}).get("folder", Path())
    if path.parts[:1] == ("$CREDENTIALS_DIRECTORY",) and "CREDENTIALS_DIRECTORY" not in os.environ:
        # That is for the service alone; systemd takes it from here.
        return Path(folder, "credentials", *path.parts[1:])
    try:
        # systemd leaves passwords in a folder it names in the environment.
        return Path(folder, os.path.expandvars(path.expanduser()))
    except RuntimeError:
        raise ValueError(f"there is no user {path.parts[0][1:40]!r}") from None


def _unless(wrong: Callable[[Path], object]) -> Callable[[Path], Path]:
    """Refuse what is of the wrong kind; what is not there yet may come, what others may read is theirs."""

    def check(path: Path) -> Path:
        try:
            wrong(path)
        except (FileNotFoundError, PermissionError):
            return path
        except OSError as exc:
            raise ValueError(f"{str(path)[-200:]!r}: {exc.strerror}") from None
        return path

    return check


def _folder(path: Path) -> None:
    if not path.is_dir() and path.exists():
        raise NotADirectoryError(None, "is no folder", str(path))


Token = Annotated[str, AfterValidator(_token)]
"""A level of an MQTT topic."""

Topic = Annotated[str, AfterValidator(_topic)]
"""Levels of an MQTT topic."""

Text = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_text)]
"""One line."""

Host = Annotated[str, AfterValidator(_host)]
CameraUrl = Annotated[str, AfterValidator(_camera_url)]
ServerUrl = Annotated[str, AfterValidator(_server_url)]
Port = Annotated[int, Field(ge=1, le=65535)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

ConfigPath = Annotated[Path, Field(strict=False), AfterValidator(_from_config_folder)]
"""Relative to the folder of the configuration."""

FilePath = Annotated[ConfigPath, AfterValidator(_unless(regular))]
FolderPath = Annotated[ConfigPath, AfterValidator(_unless(_folder))]
