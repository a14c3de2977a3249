"""``vser-stream fhir``: an alert for a hospital's systems."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from vser_stream.adapters.system.untrusted_text import parse_json
from vser_stream.core.wire import topics
from vser_stream.core.wire.decision_documents import alert_in
from vser_stream.core.wire.documents import Alert
from vser_stream.core.wire.fhir import bundle_of
from vser_stream.errors import DataError
from vser_stream.values import MessageKind

__all__ = ["fhir"]

_TOPIC = topics.document("<site>", "<source>", MessageKind.ALERT)


def fhir(
    alert: Annotated[
        Path,
        typer.Argument(
            help="One alert, of the broker, replay --json or records export; - for standard input."
        ),
    ],
) -> None:
    """Print an alert as a FHIR R4 Bundle: an Observation and the Communication about it.

    Try: mosquitto_sub -t 'vser/v1/+/+/alert' -C 1 | vser-stream fhir -
    """
    try:
        text = sys.stdin.buffer.read() if str(alert) == "-" else alert.read_bytes()
        document = Alert.model_validate_json(json.dumps(alert_in(parse_json(text))))
    except OSError as exc:
        raise DataError(f"{alert}: cannot be read ({exc.strerror})") from exc
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in error["loc"])
        raise DataError(
            f"{alert}: not an alert of this release ({where or 'document'}: {error['msg']}); "
            f"give one document of the topic {_TOPIC}"
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise DataError(f"{alert}: no JSON document; give one of {_TOPIC}") from exc
    print(json.dumps(bundle_of(document), indent=2))
