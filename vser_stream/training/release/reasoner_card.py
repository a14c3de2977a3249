"""The card of the bundled reasoner: what it is, what it is worth, and what it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import RULE_GAIN
from vser_stream.core.reason.rules import RuleBook
from vser_stream.training.reasoner.ungrammared import Honesty

__all__ = ["Likeness", "MadeReasoner", "reasoner_card"]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near a file run by llama.cpp is to the network in torch."""

    labels: float
    """Share of cases with the same label."""

    worst: float
    """Largest difference of a probability."""


@dataclass(frozen=True, slots=True)
class MadeReasoner:
    """What a training gave."""

    folder: Path
    version: str
    parameters: int
    size: int
    """Of ``model.gguf`` (bytes)."""

    examples: int
    """Seen in training."""

    agreement: float
    """Share of held-out cases in which it believes the label the teacher does."""

    divergence: float
    """Kullback-Leibler divergence of its belief from the teacher's, on average (nats)."""

    free: dict[str, Honesty]
    """Rationales without a grammar, by language."""

    bound: dict[str, Honesty]
    """Rationales of the shipped file under the grammar of each request, by language."""

    parity: Likeness
    quantized: Likeness
    took: float
    """From start to end (s)."""


def reasoner_card(name: str, made: MadeReasoner, book: RuleBook) -> str:
    """Write ``MODEL_CARD.md``."""
    return _CARD.format(
        name=name,
        made=made,
        parameters=made.parameters / 1e6,
        size=made.size / 1e6,
        examples=made.examples,
        languages=", ".join(Language),
        gain=RULE_GAIN,
        book=f"{book.name} {book.version}",
        free=_rows(made.free),
        bound=_rows(made.bound),
    )


def _rows(found: Mapping[str, Honesty]) -> str:
    return "\n".join(
        f"| {language} | {one.rationales} | {one.faithful:.3f} | {one.passed:.3f} | {one.coverage:.2f} "
        f"| {one.leaks:.3f} | {one.words:.1f} |"
        for language, one in found.items()
    )


_CARD = """\
# {name} {made.version}

A language model of {parameters:.2f} M parameters (LLaMA architecture, Q8_0, {size:.1f} MB) for one prompt
only: the figures `vser-stream` has measured of an ambiguous utterance. It returns a belief in calm, angry
and panic, and a rationale in {languages}. **It is a specialist, not a general model**: it cannot chat, and
any other text than its own prompt gives noise. Not a medical device.

## What it was taught

- Belief: a linear map of the log probabilities of the SVM and of the second model, then {gain} log odds
  for each unit of what the human rules that fired ("{book}") weigh together. The map was fitted so
  that SVM and reasoner *together* are most often right with the rules counted in. So it is a plain
  stacker of both opinions, made readable and steerable; it knows nothing of the voice that the
  opinions, cues and rules do not say.
- Rules: whether one fires is computed by code, and so is what they weigh together. The prompt tells
  of each its label, and its weight as far as its cues can be trusted, beside its number, and the
  examples had drawn rule books (rules added, removed, moved to another label, weighed anew), so the
  belief follows whatever rules are in force. Their wording never reaches the model.
- Rationale: cues that speak for the verdict with their distance from calm, in drawn order and
  words, and a rule that fired for it. The grounds are put before it by code; it is conditioned on
  the verdict and never names it. The network starts from an induction circuit, so that it copies.
- {examples} examples: real evidence of clips by models that never heard their speakers, jittered
  and mixed. Real recordings are acted or read speech; `panic` is acted fear. One fifth of the speakers
  was kept for the figures below. No audio and no text of a corpus is in the model.

## Figures, on speakers it was told nothing of

Belief: same label as the teacher's in {made.agreement:.1%}, divergence {made.divergence:.4f} nats.

| free rationales | checked | faithful claims | all right | coverage | leaks | words |
|---|---|---|---|---|---|---|
{free}

| under the grammar | checked | faithful claims | all right | coverage | leaks | words |
|---|---|---|---|---|---|---|
{bound}

Free: most probable words with nothing to hold it back. The live agent lets it write under a grammar that
is made for each request and derives only true claims; both are checked by `core/reason/verify.py`.

llama.cpp against torch: unquantized {made.parity.worst:.1e} off at most ({made.parity.labels:.1%} same
labels), Q8_0 {made.quantized.worst:.1e} ({made.quantized.labels:.1%}).
"""
