"""Do rules steer? The same cases under an edited rule book, for any reasoner.

An edit of a rule that fired should move the belief its way: a rule moved to another label, removed,
or added about a cue that is there. The same edits of rules that did not fire, and the same rules
in other words, should move nothing. Whether a label should turn is what the weights of the rules say of
the belief before the edit; where they say a near-tie, any label is right.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vser_stream.core.reason.fuse import fuse
from vser_stream.core.reason.prompt import RULE_GAIN, pull
from vser_stream.core.reason.rules import TRUSTED_FROM, Condition, Rule, RuleBook, Seen, Texts
from vser_stream.ports import Reasoner
from vser_stream.training.evaluation.metrics import Interval, share
from vser_stream.values import LABELS, Case, Cue, Label, Probabilities

__all__ = ["EDITS", "Steered", "Turns", "steered", "steering_table"]

EDITS = ("moved", "removed", "added", "moved, unfired", "added, absent", "reworded")
"""The last three should move nothing."""

_MOVED = 0.1
"""Change of log odds that counts as a move."""

_MARGIN = 0.05
"""Lead of one label over the next that is no near-tie (probability)."""

_LEAST = 1e-4
"""Least probability that is told from none."""

_NEW_WEIGHT = 0.8
_WITHIN = 60.0
"""Time for one answer: this is no live agent (s)."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Labels that changed, against those that the weights of the rules say should, near-ties left out."""

    should: int
    """Cases in which the belief before the edit, moved as the weights say, has another top label."""

    did: Interval | None
    """Share of those in which it got that label."""

    should_not: int
    did_not: Interval | None
    """Share of the others in which the label stayed."""

    def __str__(self) -> str:
        return f"{_shown(self.did)} of {self.should}, kept {_shown(self.did_not)} of {self.should_not}"


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of the belief under one kind of edit."""

    edit: str
    cases: int
    due: int
    """Those in which the weights say that the log odds should move: a rule among many like it adds little."""

    right: Interval | None
    """Share of those in which they moved the way of the edit."""

    wrong: Interval
    """Share of all in which they moved the other way, or at all where nothing should move."""

    label: Turns
    """Of the reasoner."""

    verdict: Turns
    """Of the reasoner and the SVM together."""


@dataclass(frozen=True, slots=True)
class _Edit:
    case: Case
    speaker: str
    book: RuleBook
    up: Label | None
    """Favoured by the edit, if any label is."""

    down: Label | None


def steered(
    reasoner_for: Callable[[RuleBook], Reasoner],
    cases: Sequence[Case],
    book: RuleBook,
    *,
    speakers: NDArray[np.str_],
    most: int = 200,
    seed: int = 0,
) -> list[Steered]:
    """Make up to ``most`` edits of each kind, and ask before and after.

    Args:
        reasoner_for: Gives the reasoner that was told a rule book.
        cases: Under any book; their fired rules are found anew.
        book: To be edited.
        speakers: Who was heard in each case, shape (n_cases,).
        most: Edits of each kind.
        seed: Of the choice of edits.

    Raises:
        ReasonerError: The reasoner cannot answer.
    """
    rng = np.random.default_rng(seed)
    told = [(_under(book, case), str(speaker)) for case, speaker in zip(cases, speakers, strict=True)]
    found = []
    for kind in EDITS:
        edits = [edit for one in told for edit in _edits(kind, one, book, rng)]
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

    speakers = np.array([edit.speaker for edit in edits])
    return Steered(
        edit=kind,
        cases=len(edits),
        due=int(due.sum()),
        right=_share(moves >= _MOVED, speakers, among=due),
        wrong=share(moves <= -_MOVED, speakers=speakers),
        label=_turns(before, aims, after, speakers),
        verdict=_turns(together(before), together(aims), together(after), speakers),
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
    before: Sequence[Probabilities],
    aims: Sequence[Probabilities],
    after: Sequence[Probabilities],
    speakers: NDArray[np.str_],
) -> Turns:
    clear = np.array([_lead(aim) >= _MARGIN for aim in aims])
    turn = np.array([one.top is not aim.top for one, aim in zip(before, aims, strict=True)])
    right = np.array([one.top is aim.top for one, aim in zip(after, aims, strict=True)])
    return Turns(
        should=int(np.sum(clear & turn)),
        did=_share(right, speakers, among=clear & turn),
        should_not=int(np.sum(clear & ~turn)),
        did_not=_share(right, speakers, among=clear & ~turn),
    )


def _lead(belief: Probabilities) -> float:
    """How far the top label is ahead of the next."""
    *_, second, first = sorted(belief.of(label) for label in LABELS)
    return first - second


def _share(
    hits: NDArray[np.bool_], speakers: NDArray[np.str_], *, among: NDArray[np.bool_]
) -> Interval | None:
    return share(hits[among], speakers=speakers[among]) if among.any() else None


def _edits(kind: str, told: tuple[Case, str], book: RuleBook, rng: np.random.Generator) -> Iterator[_Edit]:
    """All edits of a kind for a case."""
    case, speaker = told
    if kind == "reworded":
        yield _Edit(case, speaker, _reworded(book), None, None)
        return
    if kind.startswith("added"):
        yield from _added(told, book, rng, absent=kind == "added, absent")
        return
    fired = {rule.id for rule in case.fired}
    unfired = kind == "moved, unfired"
    for rule in book.rules:
        to = _turned(rule.label)
        if to is None or (rule.id in fired) is unfired:
            continue
        moved = rule.model_copy(update={"label": to, "against": None})
        turned = _with(book, [moved if it is rule else it for it in book.rules])
        if kind == "removed":
            gone = _with(book, [it for it in book.rules if it is not rule])
            yield _Edit(case, speaker, gone, None, rule.label)
        elif unfired:
            yield _Edit(case, speaker, turned, None, None)
        else:
            yield _Edit(case, speaker, turned, to, rule.label)


def _turned(label: Label) -> Label | None:
    """Angry for panic and panic for angry."""
    return {Label.PANIC: Label.ANGRY, Label.ANGRY: Label.PANIC}.get(label)


def _added(
    told: tuple[Case, str], book: RuleBook, rng: np.random.Generator, *, absent: bool
) -> Iterator[_Edit]:
    """A new rule about each cue that is far from calm; or that says it were where it is not."""
    case, speaker = told
    for cue in case.cues:
        if abs(cue.z) >= 1.0 and cue.confidence >= TRUSTED_FROM:
            label = LABELS[int(rng.integers(len(LABELS)))]
            rule = _rule(cue, label, upwards=(cue.z > 0.0) is not absent)
            edited = _with(book, [*book.rules, rule])
            yield _Edit(case, speaker, edited, None if absent else label, None)


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
    columns = f"{'edits':>6}{'due':>6}  {'right':<22}{'wrong':<22}{'label turned':<66}verdict turned"
    return "\n".join([f"{'edit of the rule book':<24}{columns}", *map(_line, found)])


def _line(one: Steered) -> str:
    return (
        f"{one.edit:<24}{one.cases:>6}{one.due:>6}  {_shown(one.right):<22}{_shown(one.wrong):<22}"
        f"{one.label!s:<66}{one.verdict}"
    )


def _shown(one: Interval | None) -> str:
    return f"{one.value:.1%} [{one.low:.0%}, {one.high:.0%}]" if one else "-"
