from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.corpora import write_corpus, write_wav

from vser_stream.config.locations import cache_folder
from vser_stream.core.features.functionals import FEATURES
from vser_stream.errors import AudioError, DataError
from vser_stream.training.data.augment import Augmentation
from vser_stream.training.data.corpus import Clip, read_manifest
from vser_stream.training.data.feature_cache import FeatureCache

NOISY = Augmentation("noisy", snr_db=10.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    return read_manifest(write_corpus(tmp_path_factory.mktemp("corpus"), speakers=1, clips=2))


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*.npy"))


def test_features_are_computed_once(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    cache = FeatureCache(tmp_path, processes=1)
    rows = cache.rows(clips)
    assert rows.shape == (6, len(FEATURES))
    assert np.isfinite(rows).all()
    (first, *_) = kept = files(tmp_path)
    assert len(kept) == 6
    np.save(first, np.zeros(len(FEATURES), np.float32))
    again = FeatureCache(tmp_path, processes=1).rows(clips)
    assert np.sum(~again.any(axis=1)) == 1, "the row that was changed on disk is what is given"


def test_two_processes_give_what_one_gives_in_the_same_order(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    one, two = (FeatureCache(tmp_path / str(n), processes=n).rows(clips * 5) for n in (1, 2))
    assert np.array_equal(one, two)


def test_another_recording_under_the_same_name_is_computed_anew(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", processes=1)
    clips = read_manifest(write_corpus(tmp_path, speakers=1, clips=1))
    before = cache.rows(clips)
    clips[0].path.write_bytes(clips[2].path.read_bytes())
    after = cache.rows(clips)
    assert np.array_equal(after[0], before[2])
    assert np.array_equal(after[1:], before[1:])


def test_spoiled_recordings_have_rows_of_their_own_for_each_seed(
    tmp_path: Path, clips: tuple[Clip, ...]
) -> None:
    cache = FeatureCache(tmp_path, processes=1)
    clean = cache.rows(clips)
    noisy, again, other = (cache.rows(clips, [NOISY] * 6, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(noisy, again)
    assert not np.any(np.all(noisy == clean, axis=1))
    assert not np.any(np.all(noisy == other, axis=1))
    assert len(files(tmp_path)) == 18


def test_a_cut_recording_is_heard_in_part(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    cache = FeatureCache(tmp_path, processes=1)
    seconds = FEATURES.index("active_s")
    whole, cut = cache.rows(clips), cache.rows(clips, [Augmentation("cut", cut=1.0)] * 6)
    assert np.all(cut[:, seconds] <= whole[:, seconds])
    assert np.any(cut[:, seconds] < 0.9 * whole[:, seconds])


def test_a_recording_too_short_is_named(tmp_path: Path) -> None:
    write_corpus(tmp_path, speakers=1, clips=1)
    clips = read_manifest(tmp_path)
    write_wav(clips[1].path, np.zeros(100, np.int16))
    with pytest.raises(AudioError) as caught:
        FeatureCache(tmp_path / "cache", processes=1).rows(clips)
    assert str(caught.value) == f"{clips[1].path}: holds less than 30 ms of audio; give a longer recording"


def test_progress_counts_up_to_the_end(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    steps: list[tuple[str, int, int]] = []
    cache = FeatureCache(tmp_path, processes=1)
    cache.rows(clips * 9, stage="x", progress=lambda *step: steps.append(step))
    assert steps == [("x", 0, 3), ("x", 1, 3), ("x", 2, 3), ("x", 3, 3)]


def test_a_cache_that_cannot_be_made_says_what_to_set(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be made .*; set XDG_CACHE_HOME"):
        FeatureCache(tmp_path / "file").rows(clips)


def test_the_cache_lies_outside_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "vser-stream"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "vser-stream"
