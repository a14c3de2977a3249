"""The command line: one file for each verb.

Exit codes: 0 done, 1 a bug, 2 a wrong argument, 3 a file on this box must be corrected
(configuration, model), 4 a recording or manifest cannot be used, 5 something outside is away
(microphone, disk), 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from vser_stream.cli import (
    about,
    ack,
    calibrate,
    classify,
    config,
    devices,
    doctor,
    evaluate,
    fhir,
    models,
    outbox,
    probe,
    purge,
    records,
    replay,
    rescore,
    rules,
    run,
    train,
    train_reasoner,
    watch,
)
from vser_stream.errors import VserError

__all__ = ["app", "main"]

app = typer.Typer(
    name="vser-stream",
    help="Calm, angry or panic: vocal distress alerts with reasons over MQTT. Not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("classify")(classify.classify)
app.command("train")(train.train)
app.command("train-reasoner")(train_reasoner.train_reasoner)
app.command("evaluate")(evaluate.evaluate)
app.command("devices")(devices.devices)
app.command("probe")(probe.probe)
app.command("doctor")(doctor.doctor)
app.command("about")(about.about)
app.command("calibrate")(calibrate.calibrate)
app.command("watch")(watch.watch)
app.command("ack")(ack.ack)
app.command("pause")(ack.pause)
app.command("resume")(ack.resume)
app.command("fhir")(fhir.fhir)
app.command("rescore")(rescore.rescore)
app.command("purge")(purge.purge)
app.add_typer(config.app, name="config")
app.add_typer(models.app, name="models")
app.add_typer(rules.app, name="rules")
app.add_typer(records.app, name="records")
app.add_typer(outbox.app, name="outbox")


def main() -> None:
    """Run the command line; an expected error is one line and an exit code, never a traceback."""
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
