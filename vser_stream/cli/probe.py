"""``vser-stream probe``: whether a camera, microphone or recording can be heard, step by step."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np
import typer
from rich.live import Live
from rich.text import Text

from vser_stream.adapters.audio.microphone import Microphone, list_inputs
from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.audio.rtsp_camera import RtspCamera, Track, redact
from vser_stream.adapters.audio.rtsp_check import connects, greets, resolves
from vser_stream.cli._checklist import Checklist, Finding, Verdict
from vser_stream.config.schema import Transport
from vser_stream.core.audio.level import SILENCE_DB, level_db
from vser_stream.core.audio.probe_report import Survey, survey_of
from vser_stream.core.audio.signal_faults import clipped_share
from vser_stream.errors import CaptureError, CaptureRefusedError
from vser_stream.ports import AudioSource
from vser_stream.values import RATE, Block, Pcm

__all__ = ["listen", "probe", "reach"]

METER = 40
"""Width of the level meter (characters)."""


def probe(
    target: Annotated[str, typer.Argument(metavar="URL|DEVICE|FILE", help="rtsp://…, a microphone, a file.")],
    seconds: Annotated[float, typer.Option(min=1.0, help="Listening time (s).")] = 5.0,
    username: Annotated[str | None, typer.Option(help="Of the camera.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="First line is the camera's password.")] = None,
    transport: Annotated[Transport, typer.Option(help="Of the camera's audio.")] = "tcp",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Find out step by step whether a source can be heard, and how well.

    Exit code 5 and the name of the step where it cannot. Passwords are never shown; give them in a
    file, since everybody on this box can read the arguments of a command.
    """
    checklist = Checklist(_print_nothing if as_json else _print_stage)
    report: dict[str, Any] = {"target": redact(target), "ok": False}
    try:
        if re.match(r"rtsps?:", target, re.IGNORECASE):
            source: AudioSource = (
                camera := RtspCamera(
                    target, transport=transport, username=username, password_file=password_file
                )
            )
            report |= asdict(reach(camera, checklist))
        elif "://" in target:
            raise CaptureError(f"{redact(target)}: no camera address; write rtsp://host:port/path")
        elif _is_file(target):
            source = Recording(Path(target))
        else:
            checklist.must("sound system", list_inputs, lambda inputs: f"{len(inputs)} input(s)")
            source = Microphone(target)
        survey = listen(source, seconds, checklist, meter=not as_json and sys.stdout.isatty())
        report |= {**_figures(survey), "ok": True}
    finally:
        if as_json:
            print(json.dumps({**report, "stages": [_stage(one) for one in checklist.findings]}))
    if not as_json:
        _print_survey(survey)


def _is_file(target: str) -> bool:
    try:
        return Path(target).is_file()
    except (OSError, ValueError):  # too long, or with a NUL: no file has such a name
        return False


def reach(camera: RtspCamera, checklist: Checklist) -> Track:
    """Walk to the audio track of a camera.

    Raises:
        CaptureError: A step failed; it has been told.
    """
    host, port = camera.host_and_port()
    address = checklist.must("name resolves", lambda: resolves(host))
    checklist.must(
        "TCP connects", lambda: connects(address, port, timeout=camera.open_timeout), lambda _: f"port {port}"
    )
    if not camera.url.lower().startswith("rtsps"):
        checklist.must("RTSP answers", lambda: greets(address, port, timeout=camera.open_timeout))
    track = checklist.must("login", lambda: _log_in(camera), lambda _: "not refused")
    return checklist.must(
        "audio track", track, lambda it: f"{it.codec}, {it.rate} Hz, {it.channels} channel(s)"
    )


def _log_in(camera: RtspCamera) -> Callable[[], Track]:
    """Return what tells the track, or what else is wrong: one connection shows both.

    Raises:
        CaptureRefusedError: The camera does not take this user or password.
    """
    try:
        track = camera.track()
    except CaptureRefusedError:
        raise
    except CaptureError as exc:
        return partial(_raise, exc)
    return lambda: track


def _raise(error: CaptureError) -> NoReturn:
    raise error


def listen(source: AudioSource, seconds: float, checklist: Checklist, *, meter: bool) -> Survey:
    """Listen so long; the steps are the first samples and the signal in them.

    Raises:
        VserError: A step failed; it has been told.
    """
    began: list[float] = []

    def stopped() -> bool:
        return bool(began) and time.monotonic() - began[0] > seconds + 1.0

    with contextlib.closing(_blocks(source, stopped)) as blocks:
        first = checklist.must(
            "first samples", lambda: _first(blocks), lambda block: f"{len(block.pcm)} samples"
        )
        began.append(time.monotonic())
        heard = [first.pcm, *_metered(blocks, round(seconds * RATE), meter=meter)]
    pcm = np.concatenate(heard)
    if len(pcm) < RATE:
        raise CaptureError(
            f"signal: only {len(pcm) / RATE:.1f} s were heard; give a longer recording, or probe again"
        )
    survey = survey_of(pcm[: max(RATE, round(seconds * RATE))])
    if survey.is_mute:
        checklist.note("signal", Verdict.FAIL, survey.verdict, began=began[0])
        raise CaptureError(f"signal: {survey.verdict}")
    checklist.note("signal", Verdict.OK, f"{survey.level_db:.0f} dBFS", began=began[0])
    return survey


def _blocks(source: AudioSource, stopped: Callable[[], bool]) -> Generator[Block]:
    yield from source.blocks(stopped)


def _first(blocks: Iterator[Block]) -> Block:
    for block in blocks:
        return block
    raise CaptureError("it ended without audio; check the source")


def _metered(blocks: Iterator[Block], n: int, *, meter: bool) -> Iterator[Pcm]:
    """The audio of ``n`` samples, with its level on the terminal."""
    left = n
    with Live(transient=True, refresh_per_second=10) if meter else contextlib.nullcontext() as live:
        for block in blocks:
            yield block.pcm
            left -= len(block.pcm)
            if left <= 0:
                return
            if live is not None:
                live.update(_bar(block.pcm))


def _bar(pcm: Pcm) -> Text:
    level = level_db(pcm)
    filled = round(METER * (1 - level / SILENCE_DB))
    colour = "red" if clipped_share(pcm) else "green"
    return Text.assemble(("█" * filled, colour), ("·" * (METER - filled), "dim"), f" {level:6.1f} dBFS")


def _figures(survey: Survey) -> dict[str, Any]:
    return {
        "seconds": round(survey.seconds, 2),
        "level_db": round(survey.level_db, 1),
        "floor_db": round(survey.floor_db, 1),
        "snr_db": round(survey.snr_db, 1),
        "clipped": round(survey.clipped, 4),
        "faults": [name.value for name in survey.faults],
        "verdict": survey.verdict,
    }


def _stage(one: Finding) -> dict[str, object]:
    return {"name": one.name, "ok": one.verdict is Verdict.OK, "detail": one.detail, "ms": one.ms}


def _print_stage(one: Finding) -> None:
    word = "ok    " if one.verdict is Verdict.OK else "FAILED"
    print(f"{word} {one.name}: {one.detail} ({one.ms:g} ms)", flush=True)


def _print_nothing(_: Finding) -> None:
    """The JSON object holds all stages."""


def _print_survey(survey: Survey) -> None:
    print(
        f"level {survey.level_db:.1f} dBFS, quiet {survey.floor_db:.1f} dBFS, "
        f"loud over quiet {survey.snr_db:.1f} dB, clipped {survey.clipped:.2%}"
    )
    print(f"verdict: {survey.verdict}")
