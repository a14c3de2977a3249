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
from typer.core import TyperCommand, TyperGroup

from vser_stream.cli._terminal import fit_output
from vser_stream.errors import VserError

__all__ = ["app", "main"]

_VERBS = {
    "run": (
        "run",
        "Listen to every source and publish alerts, until SIGTERM or until all recordings have ended.",
    ),
    "replay": ("replay", "Judge recordings as the daemon would, on a clock that starts at 0 with each file."),
    "classify": ("classify", "Judge each recording of a manifest as one utterance."),
    "train": ("train", "Train, judge by speaker-grouped cross-validation, and export a model."),
    "train-reasoner": (
        "train_reasoner",
        "Teach the small language model that explains ambiguous decisions, and export it for llama.cpp.",
    ),
    "evaluate": ("evaluate", "Measure on labelled recordings: cold, running and warm, pooled and by corpus."),
    "devices": (
        "devices",
        "List the microphones; the name, or a part of it, goes into the configuration as ``device``.",
    ),
    "probe": ("probe", "Find out step by step whether a source can be heard, and how well."),
    "doctor": (
        "doctor",
        "Examine this box: Python, model, rules, reasoner, sources, broker, clock, disk; say what to do.",
    ),
    "about": (
        "about",
        "Tell versions, model, features and licences: what belongs into every report of a fault.",
    ),
    "calibrate": (
        "calibrate",
        "Listen while the person speaks calmly, and keep statistics of that as the source's calm voice.",
    ),
    "reload": (
        "reload",
        "Let the daemon read its sources and rules again, as systemctl reload does; those that stay go on.",
    ),
    "watch": ("watch", "Show sources, alarms and their reasons as they happen; Ctrl-C ends it."),
    "ack": ("ack", "Acknowledge an alarm: somebody has seen it and takes care."),
    "pause": (
        "ack:pause",
        "Raise no alarm but panic of a source for some minutes; it says so on its topics.",
    ),
    "resume": ("ack:resume", "End the pause of a source."),
    "fhir": ("fhir", "Print an alert as a FHIR R4 Bundle: an Observation and the Communication about it."),
    "records": ("records:app", "Audit records behind the alerts."),
    "rescore": (
        "rescore",
        "Let the model decide again from a record, and compare it with what it said then.",
    ),
    "purge": (
        "purge",
        "Delete evidence for good, also while the agent runs; what is left can still be verified.",
    ),
    "outbox": ("outbox:app", "Messages waiting for the broker."),
    "config": ("config:app", "Check, show and describe the configuration."),
    "models": ("models:app", "Manage models."),
    "rules": ("rules:app", "Manage the human rules."),
}
"""Where each verb is, a module of this package and what in it, if not what the module is called; and what it
does, so that nothing need be imported to list them."""


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
        module, _, what = _VERBS[cmd_name][0].partition(":")
        verb = getattr(importlib.import_module(f"vser_stream.cli.{module}"), what or module)
        if not isinstance(verb, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(verb)
            verb = alone
        command = typer.main.get_command(verb)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the verbs without importing any."""
        verbs = [TyperCommand(name, help=does) for name, (_, does) in _VERBS.items()]
        TyperGroup(name=self.name, commands=verbs, help=self.help, params=self.params).format_help(
            ctx, formatter
        )


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
