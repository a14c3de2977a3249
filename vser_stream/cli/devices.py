"""``vser-stream devices``: which microphones there are."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vser_stream.adapters.audio.microphone import list_inputs

__all__ = ["devices"]


def devices(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """List the microphones; the name, or a part of it, goes into the configuration as ``device``."""
    inputs = list_inputs()
    if as_json:
        for device in inputs:
            print(json.dumps(asdict(device)))
        return
    if not inputs:
        print("no microphone found; plug one in, or check that this user may use it (group audio)")
        return
    table = Table("name", "system", "channels", "rate (Hz)", "default")
    for device in inputs:
        mark = "yes" if device.is_default else ""
        table.add_row(device.name, device.host_api, str(device.channels), f"{device.rate:g}", mark)
    Console().print(table)
