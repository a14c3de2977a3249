"""An evaluation as one HTML file that needs no other, and as JSON beside it."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vser_stream.adapters.storage.output_files import check_file, replace_file
from vser_stream.errors import DataError, UserError
from vser_stream.training.evaluation.clips.results import Curve, Evaluation, text_table
from vser_stream.training.evaluation.events.evaluate_events import events_figure, events_table
from vser_stream.training.evaluation.events.event_metrics import EventEvaluation
from vser_stream.training.evaluation.metrics import Figures
from vser_stream.training.evaluation.reasoning.hybrid import Compared
from vser_stream.training.evaluation.reasoning.reasoner_study import Report, report_text
from vser_stream.values import LABELS

__all__ = ["check_report", "write_events_report", "write_reasoners_report", "write_report"]

_MARK = "vser-stream evaluate"
"""Says in a page and in its figures who wrote them."""

_PAGE_BEGINS = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="generator" content="{_MARK}">
"""
_FIGURES_BEGIN = f'{{\n "made_by": "{_MARK}"'

_PAGE = """<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}
pre{{overflow-x:auto;font-size:13px}}img{{max-width:100%}}</style>
<h1>{title}</h1>
<p>Intervals are 95 % bootstrap intervals over {over}. Acted speech; not a medical device.</p>
{plots}
<pre>{table}</pre>
</html>
"""


def check_report(page: Path) -> None:
    """Return if a report may be written there.

    Raises:
        UserError: It is not called ``.html``, its folder is missing, or somebody else's file is there.
    """
    if page.suffix.lower() not in {".html", ".htm"}:
        raise UserError(f"{page}: a report is a page, and its figures lie beside it; name it FILE.html")
    for path, begins in ((page, _PAGE_BEGINS), (page.with_suffix(".json"), _FIGURES_BEGIN)):
        check_file(path, ours=partial(_begins_with, begins.encode()), what=f"a report of {_MARK}")


def _begins_with(begins: bytes, head: bytes) -> bool:
    return head.startswith(begins)


def write_report(evaluation: Evaluation, page: Path) -> None:
    """Write ``page`` (HTML) and the same name with ``.json``.

    Raises:
        UserError: As :func:`check_report`.
        DataError: The place cannot be written to.
    """
    plots = "\n".join(
        f"<h2>{html.escape(history)}</h2>\n{_image(_plot(curve, evaluation.pooled[history]), history)}"
        for history, curve in evaluation.curves.items()
    )
    text = _html(evaluation.subject, over="speakers", plots=plots, table=text_table(evaluation))
    _write(page, text, evaluation.to_dict())


def write_events_report(evaluation: EventEvaluation, page: Path) -> None:
    """As :func:`write_report`, of composed hours.

    Raises:
        UserError: As :func:`check_report`.
        DataError: The place cannot be written to.
    """
    plots = _image(events_figure(evaluation), "events")
    text = _html(evaluation.subject, over="homes", plots=plots, table=events_table(evaluation))
    _write(page, text, evaluation.to_dict())


def write_reasoners_report(found: Sequence[Report], page: Path) -> None:
    """As :func:`write_report`, of reasoners.

    Raises:
        UserError: As :func:`check_report`.
        DataError: The place cannot be written to.
    """
    plots = "\n".join(_image(_plot_gains(one.compared), one.reasoner) for one in found if one.compared)
    names = ", ".join(one.reasoner for one in found)
    text = _html(names, over="speakers", plots=plots, table="\n\n".join(map(report_text, found)))
    _write(page, text, {"reasoners": [asdict(one) for one in found]})


def _write(page: Path, text: str, figures: dict[str, Any]) -> None:
    check_report(page)
    try:
        replace_file(page, text.encode())
        replace_file(page.with_suffix(".json"), json.dumps({"made_by": _MARK, **figures}, indent=1).encode())
    except OSError as exc:
        raise DataError(f"{page}: cannot be written ({exc.strerror}); choose another place") from exc


def _html(title: str, *, over: str, plots: str, table: str) -> str:
    body = _PAGE.format(title=html.escape(title), over=over, plots=plots, table=html.escape(table))
    return _PAGE_BEGINS + body


def _plot(curve: Curve, judged: Figures) -> Figure:
    figure = Figure(figsize=(16, 4), layout="constrained")
    calibration, decisions, risk, panic = figure.subplots(1, 4)
    calibration.plot([0, 1], [0, 1], color="0.7")
    calibration.plot(curve.confidence, curve.right, "o-")
    calibration.set(title=f"Calibration, ECE {judged.ece.value:.3f}", xlabel="confidence", ylabel="right")
    _plot_decisions(decisions, judged)
    risk.plot(curve.coverage, curve.risk)
    risk.set(title=f"Risk-coverage, AURC {judged.aurc.value:.3f}", xlabel="coverage", ylabel="error")
    panic.plot(curve.falsely, curve.panic_found)
    panic.set(title="Panic, clip by clip", xlabel="others called panic", ylabel="found")
    panic.set(xlim=(0, 0.5), ylim=(0, 1.02))
    return figure


def _plot_gains(compared: dict[str, list[Compared]]) -> Figure:
    """What each way to decide the ambiguous gains over the SVM, beside each other."""
    figure = Figure(figsize=(18, 4), layout="constrained")
    row = figure.subplots(1, len(compared), sharey=True, squeeze=False)[0]
    for axes, (part, ways) in zip(row, compared.items(), strict=True):
        gains = [way.over_svm for way in ways]
        reach = [[one.value - one.low for one in gains], [one.high - one.value for one in gains]]
        axes.axvline(0.0, color="0.7")
        axes.errorbar([one.value for one in gains], range(len(ways)), xerr=reach, fmt="o")
        axes.set_yticks(range(len(ways)), [way.way for way in ways])
        axes.set(title=part, xlabel="macro-F1 over the SVM")
    row[0].invert_yaxis()  # as in the table: the SVM on top
    return figure


def _plot_decisions(axes: Axes, judged: Figures) -> None:
    counts = np.array(judged.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if shares[row, column] > shares.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=ink)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set(title=f"Macro-F1 {judged.macro_f1.value:.3f}", xlabel="decided", ylabel="true")


def _image(figure: Figure, history: str) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="Plots, {html.escape(history)}" src="data:image/svg+xml;base64,{data}">'
