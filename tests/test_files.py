"""Files that people name, as people make them: by echo, by Windows, by a slip."""

import os
from pathlib import Path

import pytest

from vser_stream.files import MOST, first_line, read_text


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"s3cret\nbroker of the hall, set 2026-11\n", "s3cret"),
        (b"\xef\xbb\xbfs3cret\r\nnote\r\n", "s3cret"),
        (b" two blanks \n", " two blanks "),
        ("s3:c@t/#?%41 \u00fc\n".encode(), "s3:c@t/#?%41 \u00fc"),
    ],
)
def test_the_first_line_is_the_secret(tmp_path: Path, written: bytes, secret: str) -> None:
    (tmp_path / "file").write_bytes(written)
    assert first_line(tmp_path / "file") == secret


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"", "first line is empty"),
        (b"\ns3cret\n", "first line is empty"),
        (b"s3cret\x00\n", "control characters"),
        (b"s3cret\xff\n", "not UTF-8"),
        ("s3cret\n".encode("utf-16"), "not UTF-8"),
        (b"s3cret" * MOST, "longer than"),
    ],
)
def test_what_is_no_secret_is_told_without_showing_it(tmp_path: Path, written: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(written)
    with pytest.raises(OSError, match=says) as caught:
        first_line(tmp_path / "file")
    assert "s3cret" not in str(caught.value)
    assert says in str(caught.value.strerror)


def test_nothing_but_a_regular_file_is_read_so_nothing_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in ((tmp_path / "pipe", "no regular file"), (Path("/dev/zero"), "no regular file")):
        with pytest.raises(OSError, match=says):
            read_text(path)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "absent")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("s3cret\n")
    assert first_line(tmp_path / "link") == "s3cret"
