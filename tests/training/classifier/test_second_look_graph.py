from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.corpora import write_corpus
from support.turn_model import FRAMES, WIDTH, whole_model

from vser_stream.adapters.models.onnx_graph import open_graph
from vser_stream.adapters.models.onnx_second_look import answers, golden_sound, statistics
from vser_stream.core.features.log_mel import log_mel
from vser_stream.core.scoring.second_look import fused
from vser_stream.errors import DataError
from vser_stream.training.classifier import second_look_graph
from vser_stream.training.classifier.second_look_graph import (
    Encoder,
    SecondLookMade,
    cut,
    fit_fusion,
    notice,
    turn_model,
    with_head,
)
from vser_stream.training.classifier.second_look_head import Head
from vser_stream.training.data.augment import Augmentation
from vser_stream.training.data.corpus import read_manifest
from vser_stream.training.data.feature_cache import FeatureCache
from vser_stream.values import RATE, Pcm, Probabilities, Rows

ENCODER = cut(whole_model())
INPUTS = 7


def sound(seconds: float) -> Pcm:
    return np.resize(golden_sound(), round(seconds * RATE))


def some_head() -> Head:
    rng = np.random.default_rng(1)
    values = INPUTS + 2 * WIDTH
    mean, spread, *weights = (
        rng.normal(0.3, 0.3, shape).astype(np.float32)
        for shape in (values, values, (values, 9), 9, (9, 5), 5, (values, 5), 5)
    )
    deep = ((weights[0], weights[1]), (weights[2], weights[3]))
    return Head(mean, np.asarray(np.abs(spread) + 0.5, np.float32), (deep, ((weights[4], weights[5]),)))


def some_rows(count: int) -> Rows:
    return np.random.default_rng(2).normal(0, 2, (count, INPUTS)).astype(np.float32)


@pytest.mark.parametrize("seconds", [8.0, 4.0, 1.0, 0.4])
def test_the_cut_graph_is_the_whole_one_of_that_length_up_to_its_second_block(seconds: float) -> None:
    frames = round(FRAMES * seconds / 8)
    whole = open_graph(whole_model(frames), name="whole")
    (block,) = whole.run(["add_268"], {"input_features": log_mel(sound(seconds))[np.newaxis]})
    assert block.shape == (1, frames, WIDTH)
    expected = np.concatenate([block[0].mean(axis=0), block[0].std(axis=0)])
    found = statistics(open_graph(ENCODER, name="cut"), sound(seconds))
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.ptp(expected) > 0.1


def test_what_comes_after_the_second_block_is_left_out() -> None:
    graph = onnx.load_from_string(ENCODER).graph
    assert "later" not in {constant.name for constant in graph.initializer}
    assert [output.name for output in graph.output] == ["statistics"]


@pytest.mark.parametrize("hops", [40, 41, 399, 400, 799])
def test_a_length_that_is_no_whole_number_of_frames_is_taken(hops: int) -> None:
    assert np.isfinite(statistics(open_graph(ENCODER, name="cut"), sound(hops / 100))).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_head_is_part_of_the_graph_and_the_mean_over_its_rows_is_told(count: int) -> None:
    head = some_head()
    session = open_graph(with_head(ENCODER, head, inputs=INPUTS), name="look")
    heard = statistics(open_graph(ENCODER, name="cut"), sound(2.0))
    rows = some_rows(count)
    each = head.judge(rows, np.repeat(heard[np.newaxis], count, axis=0))
    assert answers(session, sound(2.0), rows) == pytest.approx(each.mean(axis=0), abs=1e-4)
    assert np.ptp(each, axis=0).max() > 0.01 or count == 1
    assert np.ptp(each.mean(axis=0)) > 0.01


def test_what_is_heard_and_what_is_measured_both_count() -> None:
    session, rows = open_graph(with_head(ENCODER, some_head(), inputs=INPUTS), name="look"), some_rows(2)
    found = answers(session, sound(2.0), rows[:1])
    assert np.abs(found - answers(session, sound(2.0), rows[1:])).max() > 0.01
    assert np.abs(found - answers(session, sound(2.0)[::-1].copy(), rows[:1])).max() > 1e-4


def test_a_fusion_trusts_who_is_right() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 600)
    right = 0.1 + 0.5 * np.eye(5)[y]
    guess = rng.dirichlet(np.ones(5), 600)
    alone, other = fit_fusion(right, guess, y), fit_fusion(guess, right, y)
    assert alone.first > 0.5
    assert alone.look < 0.2
    assert other.look > 0.5
    assert other.first < 0.2
    one = fused(Probabilities.folded(right[0]), Probabilities.folded(guess[0]), alone)
    assert int(np.argmax(one.answers)) == y[0]


def test_a_fusion_undoes_what_a_judge_says_too_often() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 600)
    right = 0.1 + 0.5 * np.eye(5)[y]
    leaning = right * [1.0, 1.0, 9.0, 1.0, 1.0]
    fusion = fit_fusion(leaning / leaning.sum(axis=1, keepdims=True), np.full((600, 5), 0.2), y)
    assert np.argmin(fusion.bias) == 2


def test_the_manifest_holds_its_answer_to_a_known_sound() -> None:
    graph = with_head(ENCODER, some_head(), inputs=INPUTS)
    fusion = fit_fusion(np.full((5, 5), 0.2), np.full((5, 5), 0.2), np.arange(5))
    section = SecondLookMade(graph, fusion, unless_calm=0.9).section
    expected = answers(open_graph(graph, name="look"), golden_sound(), np.zeros((1, INPUTS), np.float32))
    assert section["golden"] == pytest.approx(list(expected), abs=1e-5)
    assert section["unless_calm"] == 0.9


def test_clips_are_measured_by_the_encoder_once(tmp_path: Path) -> None:
    clips = read_manifest(write_corpus(tmp_path / "corpus", speakers=1, clips=1))
    cache, encoder = FeatureCache(tmp_path / "cache", processes=1), Encoder(ENCODER)
    rows = cache.rows(clips, by=encoder)
    assert rows.shape == (len(clips), 2 * WIDTH)
    assert len(np.unique(rows, axis=0)) == len(clips)
    kept = sorted((tmp_path / "cache").rglob("*.npy"))
    np.save(kept[0], np.zeros(2 * WIDTH, np.float32))
    assert np.sum(~cache.rows(clips, by=encoder).any(axis=1)) == 1, "what is on disk is what is given"
    noisy = cache.rows(clips, [Augmentation("noisy", snr_db=10.0)] * len(clips), by=encoder)
    assert not np.any(np.all(noisy == rows, axis=1))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"other.onnx: is not the file of pipecat-ai==1.14.0 \(sha256"):
        turn_model(tmp_path, given=tmp_path / "other.onnx")


def test_a_file_that_is_not_there_or_no_wheel_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.whl").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w"):
        pass
    for name in ("none.onnx", "no.whl", "empty.whl"):
        with pytest.raises(DataError, match=f"{name}: cannot be read .*; give the wheel pipecat-ai==1.14.0"):
            turn_model(tmp_path, given=tmp_path / name)


def test_a_file_that_was_damaged_where_it_is_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "smart-turn-v3.2-cpu.onnx").write_bytes(b"x")
    with pytest.raises(DataError, match="remove it and fetch it anew"):
        turn_model(tmp_path)


def test_where_pip_cannot_fetch_it_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DataError, match=r"pip cannot fetch pipecat-ai==1.14.0 \(ERROR: .*; fetch its wheel"):
        turn_model(tmp_path / "kept")
    assert not (tmp_path / "kept" / "smart-turn-v3.2-cpu.onnx").exists()


def test_the_file_is_taken_out_of_a_wheel_that_pip_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel is one of ours under its name: nothing comes from the network, and so it is refused."""
    wheel = tmp_path / "pipecat_ai-1.14.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx", b"ours")
        about = "pipecat_ai-1.14.0.dist-info"
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: pipecat-ai\nVersion: 1.14.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(DataError, match="is not the file of pipecat-ai"):
        turn_model(tmp_path / "kept")
    monkeypatch.setattr(second_look_graph, "_SHA256", "")
    assert second_look_graph._fetched() == b"ours"  # noqa: SLF001 - what a right sha256 would let through


def test_the_notice_tells_both_origins_and_their_licences() -> None:
    told = notice()
    for words in ("MIT License", "Copyright (c) 2022 OpenAI", "BSD 2-Clause License", "Daily"):
        assert words in told


def test_nobody_who_only_listens_needs_what_training_needs() -> None:
    code = (
        "import sys, vser_stream.adapters.models.onnx_second_look; "
        "assert not {'onnx', 'sklearn', 'joblib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
