"""What was measured of a recipe or of a model, and the same as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vser_stream.training.evaluation.clips.nested import Choice
from vser_stream.training.evaluation.metrics import Figures, Interval, Missed
from vser_stream.values import LABELS

__all__ = ["ByHistory", "Called", "Curve", "Evaluation", "missed_text", "text_table"]

ByHistory = dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Curve:
    """What the plots of one history need."""

    confidence: list[float]
    """Mean confidence of each bin that has clips (probability)."""

    right: list[float]
    """Share of right decisions in it."""

    clips: list[int]
    coverage: list[float]
    """Share of the clips that are decided, the most confident first."""

    risk: list[float]
    """Share of wrong decisions among the most confident."""

    panic_found: list[float]
    """Share of panic found where ever less probable panic is called so."""

    falsely: list[float]
    """Share of all else called panic there."""


@dataclass(frozen=True, slots=True)
class Called:
    """What an agent that knows nothing of the source calls some clips (shares)."""

    clips: int
    angry: float
    """Share of the clips."""

    panic: float
    """Share of the clips."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured; every dictionary is by history, or by something and then history."""

    subject: str
    pooled: ByHistory
    by_corpus: dict[str, ByHistory]
    thresholds: dict[int, float]
    """Confidence under which each share of the running decisions lies (percent)."""

    curves: dict[str, Curve]
    by_group: dict[str, dict[str, ByHistory]] = field(default_factory=dict)
    """By language, and by sex."""

    missed: dict[str, Missed] = field(default_factory=dict)
    """Panic that was not called so, by history."""

    left_out: dict[str, ByHistory] = field(default_factory=dict)
    """Each corpus by a model that has heard only the others."""

    within: dict[str, ByHistory] = field(default_factory=dict)
    """Each corpus by models that have heard only its own other speakers."""

    nested: ByHistory = field(default_factory=dict)
    """With a recipe that was chosen without the speakers it is judged on (see training.nested)."""

    chosen: list[Choice] = field(default_factory=list)
    """What the folds chose."""

    unheard: dict[str, ByHistory] = field(default_factory=dict)
    """Corpora the recipe never learns from, by the final model."""

    false_alarms: dict[str, dict[str, float]] = field(default_factory=dict)
    """Share called angry or panic in corpora that are calm throughout."""

    conditions: dict[str, ByHistory] = field(default_factory=dict)
    """The same clips through noise, rooms and codecs."""

    alone: dict[str, ByHistory] = field(default_factory=dict)
    """The same clips by the machines alone, where all else has a second look: all, and each corpus."""

    lively: dict[str, Called] = field(default_factory=dict)
    """What becomes of clips that are none of the three, and of screams, by what they are and by corpus."""

    heard: tuple[str, ...] = ()
    """Corpora the model was trained on: their figures promise nothing for other speakers."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def text_table(evaluation: Evaluation) -> str:
    """The figures as lines of text, widest first."""
    lines = [evaluation.subject, "", _row("", ["macro-F1", "calm", "angry", "panic", "ECE", "AURC", "clips"])]
    sections = {
        "": {"all": evaluation.pooled, **evaluation.by_corpus},
        **{f"by {group}": section for group, section in evaluation.by_group.items()},
        "the machines alone": evaluation.alone,
        "corpus left out (the machines alone)": evaluation.left_out,
        "within corpora": evaluation.within,
        "choice nested": {"all": evaluation.nested} if evaluation.nested else {},
        "never learned from": evaluation.unheard,
        "condition": evaluation.conditions,
    }
    for title, section in sections.items():
        lines += ["", title] if title and section else []
        for name, histories in section.items():
            lines += [_row(f"{name}, {history}", _cells(one)) for history, one in histories.items()]
    lines += ["", *(missed_text(history, one) for history, one in evaluation.missed.items())]
    for corpus, shares in evaluation.false_alarms.items():
        told = ", ".join(f"{history} {share:.1%}" for history, share in shares.items())
        lines += ["", f"calm {corpus} called angry or panic: {told}"]
    for name, one in evaluation.lively.items():
        lines += [f"{name}: {one.clips} clips, angry {one.angry:.1%}, panic {one.panic:.1%}"]
    if evaluation.heard:
        told = ", ".join(evaluation.heard)
        lines += ["", f"trained on {told}: figures of these and of all clips promise nothing for others"]
    told = ", ".join(f"{share} % below {value:.3f}" for share, value in evaluation.thresholds.items())
    return "\n".join([*lines, "", f"escalate: {told}"])


def missed_text(history: str, one: Missed) -> str:
    """One line on panic that was not called so."""
    return (
        f"panic missed, {history}: {_percent(one.share)}, called calm {_percent(one.as_calm)}; "
        f"of those missed escalated (below {one.below:.3f}): {_percent(one.escalated)}"
    )


def _percent(share: Interval) -> str:
    return f"{share.value:.1%} [{share.low:.1%}, {share.high:.1%}]"


def _cells(one: Figures) -> list[str]:
    recall = [f"{one.recall[label].value:.3f}" if label in one.recall else "-" for label in LABELS]
    return [str(one.macro_f1), *recall, f"{one.ece.value:.3f}", f"{one.aurc.value:.3f}", str(one.clips)]


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<28}{cells[0]:<22}" + "".join(f"{cell:>8}" for cell in cells[1:])
