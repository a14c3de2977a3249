"""On any terminal every verb says something sensible, and none ends in a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from vser_stream.cli import main
from vser_stream.cli._terminal import fit_output

EVERYTHING = "".join(map(chr, range(32, 0x3000))) + "\ud800\udc80 😀 phòng ngủ"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_any_text_can_be_printed_on_any_terminal(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    fit_output()
    sys.stdout.write(EVERYTHING)
    sys.stdout.flush()


def test_what_is_meant_can_still_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    fit_output()
    sys.stdout.write("██·· -20 dB, phòng ngủ, Đà Nẵng, z ≥ 2…")
    sys.stdout.flush()
    assert raw.getvalue() == b"##.. -20 dB, phong ngu, Da Nang, z >= 2..."


VERBS = [
    ["--help"],
    ["about"],
    ["config", "schema"],
    ["devices"],
    ["rules", "explain", "--language", "vi"],
    ["rules", "explain", "--language", "vi", "--json"],
    ["rules", "lint"],
    ["rules", "lint", "phòng-ngủ.toml"],
    ["config", "check", "phòng-ngủ…"],
    ["fhir", "\udcff"],
]


@pytest.mark.parametrize("arguments", VERBS, ids=lambda arguments: " ".join(map(ascii, arguments)))
def test_verbs_print_on_a_terminal_of_letters_they_lack(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "argv", ["vser-stream", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in {None, 0, 2, 3, 4}
    for stream in (out, err):
        stream.flush()
    said = b"".join(stream.buffer.getvalue() for stream in (out, err))
    assert said
    if "--json" in arguments:
        assert any("đ" in rule["meaning"] for rule in json.loads(said)["rules"])


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_process_of_its_own_does_so_too(encoding: str) -> None:
    command = [sys.executable, "-m", "vser_stream", "rules", "explain", "--language", "vi"]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"high-dark-voice" in done.stdout
