import logging
from pathlib import Path

import pytest
from support.gguf_file import sha256_of, tiny_specialist

from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.adapters.models.openai_server import OpenAiServer
from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason import prompt
from vser_stream.core.reason.dialogue import Specialist
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ConfigError, ModelError
from vser_stream.runtime.reasoning import reasoners
from vser_stream.runtime.reasoning.reasoners import bundled_weights, reasoner_of, standing_by


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reasoner as it is shipped."""
    sha256 = sha256_of(tiny_specialist(tmp_path / "model.gguf"))
    what = f'name = "tiny"\nversion = "1.2.3"\nprompt = "{prompt.digest()}"\n'
    (tmp_path / "manifest.toml").write_text(f'{what}[sha256]\n"model.gguf" = "{sha256}"\n')
    return tmp_path


def test_nobody_is_asked_where_the_operator_wants_it_so() -> None:
    assert reasoner_of(ReasonerConfig(backend="none"), Writer) is None


def test_the_bundled_reasoner_is_what_its_manifest_says(folder: Path) -> None:
    weights = bundled_weights(folder)
    assert weights == Weights(folder / "model.gguf", sha256_of(folder / "model.gguf"), "tiny@1.2.3")
    assert weights.sha256
    assert LlamaReasoner(weights, Specialist).version == f"tiny@1.2.3+{weights.sha256[:12]}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (prompt.digest(), "0" * 64, "another prompt"),
        ("[sha256]", "[sums]", "no manifest"),
        ("name", "nam", "no manifest"),
        ('"tiny"', "tiny", "no manifest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "manifest.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ModelError, match=message):
        bundled_weights(folder)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        bundled_weights(tmp_path)


def test_without_the_bundled_model_the_svm_decides_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reasoners, "shipped_reasoner", lambda: tmp_path / "none")
    with caplog.at_level(logging.WARNING):
        assert reasoner_of(ReasonerConfig(backend="bundled"), Writer) is None
    assert len(caplog.records) == 1


def test_without_llama_cpp_the_svm_decides_and_one_line_says_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reasoners, "shipped_reasoner", lambda: folder)
    monkeypatch.setattr(reasoners, "find_spec", lambda _: None)
    with caplog.at_level(logging.WARNING):
        assert reasoner_of(ReasonerConfig(backend="bundled"), Writer) is None
    assert "vser-stream[llm]" in caplog.text


@pytest.mark.parametrize("damaged", ["model.gguf", "manifest.toml"])
def test_a_damaged_bundled_model_keeps_no_box_from_listening(
    folder: Path, damaged: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reasoners, "shipped_reasoner", lambda: folder)
    (folder / damaged).write_text("not it")
    with caplog.at_level(logging.ERROR):
        assert reasoner_of(ReasonerConfig(), Writer) is None
    assert len(caplog.records) == 1
    assert damaged in caplog.text


def test_the_bundled_reasoner_stands_by(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reasoners, "shipped_reasoner", lambda: folder)
    reasoner = reasoner_of(ReasonerConfig(), Writer)
    assert reasoner is not None
    with standing_by(reasoner):
        assert reasoner.ready
    assert not reasoner.ready


def test_a_file_must_be_the_one_that_was_meant(folder: Path) -> None:
    with pytest.raises(ModelError, match="damaged or another model"):
        reasoner_of(ReasonerConfig(backend="gguf", model=folder / "model.gguf", sha256="0" * 64), Writer)


def test_a_server_far_away_is_refused_by_default() -> None:
    with pytest.raises(ConfigError, match="egress"):
        reasoner_of(ReasonerConfig(backend="server", url="https://example.com/v1"), Writer)
    near = reasoner_of(ReasonerConfig(backend="server", url="http://localhost:8080/v1"), Writer)
    assert isinstance(near, OpenAiServer)
