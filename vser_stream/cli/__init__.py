"""The command line: one file for each verb.

Exit codes: 0 done, 1 a bug, 2 a wrong argument, or a command that its source refuses, 3 a file on
this box must be corrected (configuration, model), 4 a recording, manifest, record or alert cannot be
used, 5 something outside is away (microphone, disk, broker, the daemon), 6 doctor found what must be
corrected, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from vser_stream.cli._terminal import fit_output
from vser_stream.errors import VserError

__all__ = ["app", "main"]

_VERBS = {
    "run": "run",
    "replay": "replay",
    "classify": "classify",
    "train": "train",
    "train-reasoner": "train_reasoner",
    "evaluate": "evaluate",
    "devices": "devices",
    "probe": "probe",
    "doctor": "doctor",
    "about": "about",
    "calibrate": "calibrate",
    "reload": "reload",
    "watch": "watch",
    "ack": "ack",
    "pause": "ack:pause",
    "resume": "ack:resume",
    "fhir": "fhir",
    "records": "records:app",
    "rescore": "rescore",
    "purge": "purge",
    "outbox": "outbox:app",
    "config": "config:app",
    "models": "models:app",
    "rules": "rules:app",
}
"""Where each verb is: a module of this package, and what in it, if not what the module is called."""


class _Verbs(TyperGroup):
    """Imports a verb when it is asked for: all of them together take two seconds of CPU."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb."""
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of this name."""
        del ctx
        if cmd_name not in _VERBS:
            return None
        module, _, what = _VERBS[cmd_name].partition(":")
        verb = getattr(importlib.import_module(f"vser_stream.cli.{module}"), what or module)
        if not isinstance(verb, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(verb)
            verb = alone
        command = typer.main.get_command(verb)
        command.name = cmd_name
        return command


app = typer.Typer(name="vser-stream", cls=_Verbs, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _about() -> None:
    """Calm, angry or panic: vocal distress alerts with reasons over MQTT. Not a medical device."""


def main() -> None:
    """Run the command line; an expected error is one line and an exit code, never a traceback."""
    fit_output()
    try:
        app()
    except VserError as exc:
        print(f"vser-stream: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has gone, as in "| head": nothing is left to say, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
