"""From a corpus to the folder of a bundled reasoner."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from vser_stream import __version__
from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.adapters.models.manifest import MANIFEST, SUMS, sums_of
from vser_stream.adapters.storage.output_files import replacing
from vser_stream.core.reason.dialogue import Specialist
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import RULE_GAIN, digest, is_explainable
from vser_stream.core.reason.rules import RuleBook
from vser_stream.errors import ModelError
from vser_stream.training.classifier.export import check_model_folder
from vser_stream.training.reasoner.cases import HELD_OUT, Evidence
from vser_stream.training.reasoner.examples import draw_example
from vser_stream.training.reasoner.fit import fit_network
from vser_stream.training.reasoner.network import Network, Shape, prime_copying, write_gguf
from vser_stream.training.reasoner.teacher import Teacher, beliefs_of, fit_teacher
from vser_stream.training.reasoner.tokenizer import make_tokenizer, twins
from vser_stream.training.reasoner.ungrammared import FreeReasoner, Honesty, honesty
from vser_stream.training.release.reasoner_card import Likeness, MadeReasoner, reasoner_card
from vser_stream.training.run import Run
from vser_stream.values import LABELS, Case, Label, Probabilities

__all__ = ["PARITY", "check_reasoner_folder", "train_reasoner"]

_FILES = ("model.gguf", "MODEL_CARD.md")

_Floats = NDArray[np.float64]

PARITY = 1e-4
"""Largest difference of a probability between torch and llama.cpp on the unquantized file."""

QUANTIZED_PARITY = 0.05
"""The same of the Q8_0 file."""

_READ = 4000
"""Rationales the byte pairs are learned from."""

_COMPARED = 200
_EXPLAINED = 100
"""Cases of the held-out speakers for parity, and for free rationales in each language."""

_WITHIN = 60.0


def check_reasoner_folder(folder: Path) -> None:
    """Return if a reasoner may be written there; what it needs before takes an hour.

    Raises:
        UserError: Something else is there, or the folder above is missing.
    """
    check_model_folder(folder, holds=_FILES[0])


def train_reasoner(
    evidence: Evidence,
    out: Path,
    run: Run,
    *,
    book: RuleBook,
    minutes: float,
    rationales: bool = True,
) -> MadeReasoner:
    """Teach a reasoner and write its folder; one already in ``out`` stays until the new one is whole.

    Args:
        evidence: Of the corpus; fold :data:`HELD_OUT` is kept for the figures.
        out: Folder of the model; its name is the model's.
        run: Its seed is that of every draw; how far it gets depends on the processor, as the time is given.
        book: The rules the evidence was told with.
        minutes: Of teaching, by the clock of the processor.
        rationales: Without them only the belief is taught (Su et al. 2025, table 1).

    Raises:
        UserError: Something else than a reasoner is in ``out``.
        ModelError: llama.cpp does not answer as torch does, or the folder cannot be written.
    """
    began = time.monotonic()
    check_reasoner_folder(out)
    # The matrices are small: a second thread costs more than it brings.
    torch.set_num_threads(1)
    torch.manual_seed(run.seed)
    known = evidence.folds != HELD_OUT
    cases, y = evidence.all_of(known)
    teacher, rng = fit_teacher(cases, y), np.random.default_rng(run.seed)
    draw = partial(draw_example, cases, teacher, rng)
    tokenizer = make_tokenizer(text for _ in range(_READ) if (text := draw().rationale))
    network = Network(Shape(tokenizer.get_vocab_size()))
    prime_copying(network, twins(tokenizer))
    examples = fit_network(
        network, tokenizer, draw, minutes=minutes, rationales=rationales, progress=run.progress
    )
    network.eval()
    made = _Made(network, tokenizer, teacher, examples, book=book, seed=run.seed, began=began)
    unheard = [evidence.running[row] for row in np.flatnonzero(~known)]
    return _write(out, made, unheard)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    network: Network
    tokenizer: Tokenizer
    teacher: Teacher
    examples: int
    """It was taught."""

    book: RuleBook
    seed: int
    began: float
    """Monotonic (s)."""


def _write(out: Path, made: _Made, unheard: Sequence[Case]) -> MadeReasoner:
    try:
        with replacing(out, (MANIFEST, SUMS, *_FILES)) as new:
            result = _fill(new, out, made, unheard)
    except OSError as exc:
        raise ModelError(
            f"{out}: cannot be written ({exc.strerror}); make room or choose another place"
        ) from exc
    return result


def _fill(new: Path, out: Path, made: _Made, unheard: Sequence[Case]) -> MadeReasoner:
    rng = np.random.default_rng(made.seed)
    some = [unheard[row] for row in rng.permutation(len(unheard))[:_COMPARED]]
    exact, shipped = new / "exact.gguf", new / "model.gguf"
    write_gguf(exact, made.network, made.tokenizer, name=out.name, quantized=False)
    write_gguf(shipped, made.network, made.tokenizer, name=out.name)
    free = FreeReasoner(made.network, made.tokenizer)
    beliefs = [free.judge(case, within=_WITHIN) for case in some]
    parity = _likeness(exact, some, beliefs, least=PARITY)
    exact.unlink()
    quantized = _likeness(shipped, some, beliefs, least=QUANTIZED_PARITY)
    asked = [(case, belief.top) for case, belief in zip(some, beliefs, strict=True)]
    asked = [(case, label) for case, label in asked if is_explainable(case, label)][:_EXPLAINED]
    taught = beliefs_of(made.teacher, some)
    now, sha256 = datetime.now(UTC), hashlib.sha256(shipped.read_bytes()).hexdigest()
    result = MadeReasoner(
        folder=out,
        version=f"{now:%Y.%m.%d}-{sha256[:8]}",
        parameters=made.network.parameter_count,
        size=shipped.stat().st_size,
        examples=made.examples,
        agreement=_agreement(beliefs, taught),
        divergence=_divergence(beliefs, taught),
        free=_free(made, asked),
        bound=_bound(shipped, asked, made.book),
        parity=parity,
        quantized=quantized,
        took=time.monotonic() - made.began,
    )
    card = reasoner_card(out.name, result, made.book)
    (new / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    _write_manifest(new, result, created=now.isoformat(timespec="seconds"), book=made.book, seed=made.seed)
    return result


def _write_manifest(new: Path, result: MadeReasoner, *, created: str, book: RuleBook, seed: int) -> None:
    document = {
        "name": result.folder.name,
        "version": result.version,
        "created": created,
        "package": __version__,
        "prompt": digest(),
        "labels": [label.value for label in LABELS],
        "languages": [language.value for language in Language],
        "parameters": result.parameters,
        "rules": f"{book.name} {book.version}",
        "rule_gain": RULE_GAIN,
        "seed": seed,
        "figures": {
            "examples": result.examples,
            "agreement": round(result.agreement, 4),
            "divergence": round(result.divergence, 4),
            "parity": asdict(result.parity),
            "quantized": asdict(result.quantized),
            "free": {name: asdict(one) for name, one in result.free.items()},
            "bound": {name: asdict(one) for name, one in result.bound.items()},
        },
        "sha256": {name: hashlib.sha256((new / name).read_bytes()).hexdigest() for name in _FILES},
    }
    manifest = tomli_w.dumps(document).encode()
    (new / MANIFEST).write_bytes(manifest)
    (new / SUMS).write_text(sums_of(manifest), encoding="utf-8")


def _likeness(
    path: Path, cases: Sequence[Case], beliefs: Sequence[Probabilities], *, least: float
) -> Likeness:
    """Compare a file as the live agent runs it with the network.

    Raises:
        ModelError: It differs by more than ``least``.
    """
    reasoner = LlamaReasoner(Weights(path), Specialist)
    try:
        reasoner.prepare()
        answers = [reasoner.judge(case, within=_WITHIN) for case in cases]
    finally:
        reasoner.close()
    pairs = list(zip(answers, beliefs, strict=True))
    worst = max(abs(one.of(label) - other.of(label)) for one, other in pairs for label in LABELS)
    # Not ">": a NaN must not pass.
    if not worst <= least:
        raise ModelError(
            f"{path.name}: llama.cpp answers {worst:.1e} off torch, over {least}; "
            "install the versions of gguf and llama-cpp-python that pyproject.toml names"
        )
    return Likeness(float(np.mean([one.top is other.top for one, other in pairs])), worst)


def _agreement(beliefs: Sequence[Probabilities], taught: _Floats) -> float:
    pairs = zip(beliefs, taught, strict=True)
    return float(np.mean([one.top is LABELS[int(other.argmax())] for one, other in pairs]))


def _divergence(beliefs: Sequence[Probabilities], taught: _Floats) -> float:
    told = np.array([[belief.of(label) for label in LABELS] for belief in beliefs])
    return float(np.mean(np.sum(taught * np.log(taught / np.maximum(told, 1e-9)), axis=1)))


def _free(made: _Made, asked: Sequence[tuple[Case, Label]]) -> dict[str, Honesty]:
    found = {}
    for language in Language:
        reasoner = FreeReasoner(made.network, made.tokenizer, language)
        texts = [reasoner.explain(case, label, within=_WITHIN) for case, label in asked]
        found[language.value] = honesty(texts, *zip(*asked, strict=True), book=made.book)
    return found


def _bound(path: Path, asked: Sequence[tuple[Case, Label]], book: RuleBook) -> dict[str, Honesty]:
    found = {}
    for language in Language:
        reasoner = LlamaReasoner(Weights(path), partial(Specialist, language))
        try:
            reasoner.prepare()
            texts = [reasoner.explain(case, label, within=_WITHIN) for case, label in asked]
        finally:
            reasoner.close()
        found[language.value] = honesty(texts, *zip(*asked, strict=True), book=book)
    return found
