"""The whole way with a teaching of seconds: it proves the path, not the model."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest
from support.cases import BOOK
from support.told import invented_evidence

from vser_stream.core.reason.language import Language
from vser_stream.core.reason.prompt import digest
from vser_stream.errors import ModelError
from vser_stream.runtime.reasoning.reasoners import bundled_weights
from vser_stream.training.release import train_reasoner as reasoner
from vser_stream.training.release.reasoner_card import MadeReasoner
from vser_stream.training.release.train_reasoner import PARITY, train_reasoner
from vser_stream.training.run import Run

EVIDENCE = invented_evidence(BOOK)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeReasoner:
    reasoner._EXPLAINED, reasoner._COMPARED = 6, 12  # noqa: SLF001 - a test has seconds
    return train_reasoner(
        EVIDENCE, tmp_path_factory.mktemp("models") / "reasoner-tiny", Run(), book=BOOK, minutes=0.05
    )


def test_llama_cpp_answers_as_torch_does(made: MadeReasoner) -> None:
    assert made.parity.worst <= PARITY
    assert made.parity.labels == 1.0


def test_the_folder_is_what_the_live_agent_takes(made: MadeReasoner) -> None:
    manifest = tomllib.loads((made.folder / "manifest.toml").read_text())
    sums = {
        name: hashlib.sha256((made.folder / name).read_bytes()).hexdigest() for name in manifest["sha256"]
    }
    assert manifest["sha256"] == sums
    assert manifest["prompt"] == digest()
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "MODEL_CARD.md",
        "SHA256SUMS",
        "manifest.toml",
        "model.gguf",
    ]
    assert bundled_weights(made.folder).verify() == sums["model.gguf"]


def test_even_untaught_it_says_nothing_untrue_under_the_grammar(made: MadeReasoner) -> None:
    assert {name: (one.faithful, one.passed) for name, one in made.bound.items()} == {
        language.value: (1.0, 1.0) for language in Language
    }


def test_a_model_that_answers_otherwise_than_torch_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasoner, "PARITY", -1.0)
    with pytest.raises(ModelError, match=r"exact\.gguf: llama\.cpp answers .* off torch"):
        train_reasoner(EVIDENCE, tmp_path / "reasoner-tiny", Run(), book=BOOK, minutes=0.01)
    assert list(tmp_path.iterdir()) == []
