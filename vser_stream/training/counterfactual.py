"""Do rules steer? The same cases under an edited rule book, for any reasoner.

An edit of a rule that fired should move the belief its way: a rule moved to another label, removed,
or added about a cue that is there. The same edits of rules that did not fire, and the same rules
in other words, should move nothing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vser_stream.core.reason.fuse import fuse
from vser_stream.core.reason.prompt import RULE_GAIN, pull
from vser_stream.core.reason.rules import TRUSTED_FROM, Condition, Rule, RuleBook, Seen, Texts
from vser_stream.ports import Reasoner
from vser_stream.values import LABELS, Case, Cue, Label, Probabilities

__all__ = ["EDITS", "Steered", "Turns", "steered", "steering_table"]

EDITS = ("moved", "removed", "added", "moved, unfired", "added, absent", "reworded")
"""The last three should move nothing."""

_MOVED = 0.1
"""Change of log odds that counts as a move."""

_LEAST = 1e-4
"""Least probability that is told from none."""

_NEW_WEIGHT = 0.8
_WITHIN = 60.0
"""Time for one answer: this is no live agent (s)."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Labels that changed, against those that the weights of the rules say should."""

    should: int
    """Cases in which the belief before the edit, moved as the weights say, has another top label."""

    did: float
    """Share of those in which it got that label."""

    should_not: int
    did_not: float
    """Share of the others in which the label stayed."""

    def __str__(self) -> str:
        did = f"{self.did:.0%}" if self.should else "-"
        return f"{did} of {self.should}, kept {self.did_not:.1%} of {self.should_not}"


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of the belief under one kind of edit."""

    edit: str
    cases: int
    due: int
    """Those in which the weights say that the log odds should move: a rule among many like it adds little."""

    right: float
    """Share of those in which they moved the way of the edit."""

    wrong: float
    """Share of all in which they moved the other way, or at all where nothing should move."""

    label: Turns
    """Of the reasoner."""

    verdict: Turns
    """Of the reasoner and the SVM together."""


@dataclass(frozen=True, slots=True)
class _Edit:
    case: Case
    book: RuleBook
    up: Label | None
    """Favoured by the edit, if any label is."""

    down: Label | None


def steered(
    reasoner_for: Callable[[RuleBook], Reasoner],
    cases: Sequence[Case],
    book: RuleBook,
    *,
    most: int = 200,
    seed: int = 0,
) -> list[Steered]:
    """Edit the rules of each kind of edit for up to ``most`` cases, and ask before and after.

    Args:
        reasoner_for: Gives the reasoner that was told a rule book.
        cases: Under any book; their fired rules are found anew.
        book: To be edited.
        most: Cases of each kind.
        seed: Of the choice of cases and edits.

    Raises:
        ReasonerError: The reasoner cannot answer.
    """
    rng = np.random.default_rng(seed)
    told = [_under(book, case) for case in cases]
    found = []
    for kind in EDITS:
        edits = [edit for edit in (_edit(kind, case, book, rng) for case in told) if edit]
        rng.shuffle(edits)
        # The same book together: a chat model evaluates it once.
        chosen = sorted(edits[:most], key=lambda edit: edit.book.digest)
        if chosen:
            before = _asked(reasoner_for, [(edit.case, book) for edit in chosen])
            after = _asked(reasoner_for, [(_under(edit.book, edit.case), edit.book) for edit in chosen])
            found.append(_judged(kind, chosen, before, after))
    return found


def _under(book: RuleBook, case: Case) -> Case:
    return replace(case, fired=book.fired(case.cues))


def _asked(
    reasoner_for: Callable[[RuleBook], Reasoner], asked: Sequence[tuple[Case, RuleBook]]
) -> list[Probabilities]:
    answers, now, reasoner = [], None, None
    for case, book in asked:
        if reasoner is None or book is not now:
            now, reasoner = book, reasoner_for(book)
        answers.append(reasoner.judge(case, within=_WITHIN))
    return answers


def _judged(
    kind: str, edits: Sequence[_Edit], before: Sequence[Probabilities], after: Sequence[Probabilities]
) -> Steered:
    aims = [_aim(edit, belief) for edit, belief in zip(edits, before, strict=True)]
    moves = np.array([_moved(*one) for one in zip(edits, before, after, strict=True)])
    due = np.array([_moved(*one) for one in zip(edits, before, aims, strict=True)]) >= _MOVED

    def together(beliefs: Sequence[Probabilities]) -> list[Probabilities]:
        return [fuse(edit.case.probabilities, one) for edit, one in zip(edits, beliefs, strict=True)]

    return Steered(
        edit=kind,
        cases=len(edits),
        due=int(due.sum()),
        right=float(np.mean(moves[due] >= _MOVED)) if due.any() else 0.0,
        wrong=float(np.mean(moves <= -_MOVED)),
        label=_turns(before, aims, after),
        verdict=_turns(together(before), together(aims), together(after)),
    )


def _moved(edit: _Edit, before: Probabilities, after: Probabilities) -> float:
    """How far the log odds moved the way of the edit; any move is the wrong way where none should be."""
    changes = {label: _log_odds(after.of(label)) - _log_odds(before.of(label)) for label in Label}
    if edit.up is None and edit.down is None:
        return -max(map(abs, changes.values()))
    return (changes[edit.up] if edit.up else 0.0) - (changes[edit.down] if edit.down else 0.0)


def _log_odds(probability: float) -> float:
    known = min(max(probability, _LEAST), 1.0 - _LEAST)
    return math.log(known / (1.0 - known))


def _aim(edit: _Edit, before: Probabilities) -> Probabilities:
    """The belief before the edit, moved as the weights say."""
    now = _under(edit.book, edit.case)
    weights = [
        before.of(label) * math.exp(RULE_GAIN * (pull(now, label) - pull(edit.case, label)))
        for label in LABELS
    ]
    return Probabilities(*(weight / sum(weights) for weight in weights))


def _turns(
    before: Sequence[Probabilities], aims: Sequence[Probabilities], after: Sequence[Probabilities]
) -> Turns:
    tops = [(one.top, aim.top, other.top) for one, aim, other in zip(before, aims, after, strict=True)]
    should = [other is aim for one, aim, other in tops if aim is not one]
    should_not = [other is one for one, aim, other in tops if aim is one]
    return Turns(
        should=len(should),
        did=sum(should) / max(len(should), 1),
        should_not=len(should_not),
        did_not=sum(should_not) / max(len(should_not), 1),
    )


def _edit(kind: str, case: Case, book: RuleBook, rng: np.random.Generator) -> _Edit | None:
    """One edit of a kind for a case, or None where there is nothing to edit."""
    if kind == "reworded":
        return _Edit(case, _reworded(book), None, None)
    if kind.startswith("added"):
        return _added(case, book, rng, absent=kind == "added, absent")
    fired = {rule.id for rule in case.fired}
    unfired = kind == "moved, unfired"
    eligible = [rule for rule in book.rules if (rule.id in fired) is not unfired and _turned(rule.label)]
    if not eligible:
        return None
    rule = eligible[int(rng.integers(len(eligible)))]
    to = _turned(rule.label)
    if kind == "removed":
        return _Edit(case, _with(book, [it for it in book.rules if it is not rule]), None, rule.label)
    moved = rule.model_copy(update={"label": to, "against": None})
    edited = _with(book, [moved if it is rule else it for it in book.rules])
    return _Edit(case, edited, None if unfired else to, None if unfired else rule.label)


def _turned(label: Label) -> Label | None:
    """Angry for panic and panic for angry."""
    return {Label.PANIC: Label.ANGRY, Label.ANGRY: Label.PANIC}.get(label)


def _added(case: Case, book: RuleBook, rng: np.random.Generator, *, absent: bool) -> _Edit | None:
    """A new rule about a cue that is far from calm; or that says it were where it is not."""
    far = [cue for cue in case.cues if abs(cue.z) >= 1.0 and cue.confidence >= TRUSTED_FROM]
    if not far:
        return None
    cue = far[int(rng.integers(len(far)))]
    label = list(Label)[int(rng.integers(len(Label)))]
    rule = _rule(cue, label, upwards=(cue.z > 0.0) is not absent)
    edited = _with(book, [*book.rules, rule])
    return _Edit(case, edited, None if absent else label, None)


def _rule(cue: Cue, label: Label, *, upwards: bool) -> Rule:
    limit = {"z_at_least": 0.5} if upwards else {"z_at_most": -0.5}
    there, elsewhere = (1.0, -1.0) if upwards else (-1.0, 1.0)
    return Rule(
        id="new-rule",
        label=label,
        weight=_NEW_WEIGHT,
        text=Texts(
            en=f"The {cue.name} of the voice leaves its usual place",
            vi="Giọng nói rời khỏi mức thường ngày của nó",
        ),
        when=(Condition(cue=cue.name, **limit),),
        source="made for this test, by no one",
        date=dt.date(2026, 1, 1),
        fires=(Seen(cue=cue.name, z=there),),
        silent=(Seen(cue=cue.name, z=elsewhere),),
    )


def _reworded(book: RuleBook) -> RuleBook:
    """The same rules by other names and in other words."""
    rules = []
    for rule, name in zip(book.rules, _names(), strict=False):
        said = " and ".join(dict.fromkeys(one.cue for one in rule.when))
        texts = Texts(en=f"It is heard in {said}", vi=f"Nghe thấy ở {said}")
        rules.append(rule.model_copy(update={"id": name, "text": texts}))
    return _with(book, rules)


def _names() -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return (f"rule-{one}{other}" for one in letters for other in letters)


def _with(book: RuleBook, rules: Sequence[Rule]) -> RuleBook:
    return book.model_copy(update={"rules": tuple(rules)})


def steering_table(found: Sequence[Steered]) -> str:
    """The figures as lines of text."""
    columns = f"{'cases':>6}{'due':>6}{'right':>8}{'wrong':>8}  {'label turned':<28}verdict turned"
    lines = [f"{'edit of the rule book':<24}{columns}"]
    for one in found:
        right = f"{one.right:.1%}" if one.due else "-"
        lines.append(
            f"{one.edit:<24}{one.cases:>6}{one.due:>6}{right:>8}{one.wrong:>8.1%}  "
            f"{one.label!s:<28}{one.verdict}"
        )
    return "\n".join(lines)
