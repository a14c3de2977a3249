import json
from pathlib import Path

import numpy as np
from support.audio import voice, write
from support.command import vser_stream
from support.daemon import configuration

from vser_stream.values import RATE

PAUSE = np.random.default_rng(0).normal(scale=10.0, size=RATE // 2).astype(np.int16)
SPEECH = np.concatenate([PAUSE, *(part for seed in range(3) for part in (voice(0.8, seed=seed), PAUSE))])
ONCE = np.concatenate([PAUSE, voice(0.9), PAUSE])


def configured(folder: Path, pcm: np.typing.NDArray[np.int16] = SPEECH) -> Path:
    return configuration(folder, 1, source=f'file = "{write(folder / "calm.wav", pcm)}"')


def kept(folder: Path) -> bytes:
    return (folder / "state" / "baseline-bedroom.json").read_bytes()


def test_calm_speech_is_kept_until_better_is_heard_or_it_is_to_be_forgotten(tmp_path: Path) -> None:
    config = configured(tmp_path)
    for _ in range(2):  # the second starts anew
        done = vser_stream("calibrate", "bedroom", "--config", config, "--json")
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert (facts["source"], facts["stored"], facts["utterances"]) == ("bedroom", True, 3)
        assert facts["seconds"] == round(len(SPEECH) / RATE, 2)
        assert facts["voice_s"] > 1.0
        assert json.loads(kept(tmp_path))["baseline"]["count"] == [3.0]
    assert (tmp_path / "state" / "baseline-bedroom.json").stat().st_mode & 0o777 == 0o600

    before = kept(tmp_path)
    done = vser_stream("calibrate", "bedroom", "--config", configured(tmp_path, ONCE), "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["stored"] is False
    assert "1 calm utterances in 2 s, 3 are needed; nothing was changed" in done.stderr
    assert kept(tmp_path) == before

    for words in ("forgotten", "nothing was known"):
        done = vser_stream("calibrate", "bedroom", "--config", config, "--forget")
        assert (done.returncode, done.stdout) == (0, f"bedroom: {words}\n")
    assert not list((tmp_path / "state").iterdir())


def test_an_unknown_source_is_a_wrong_argument(tmp_path: Path) -> None:
    done = vser_stream("calibrate", "kitchen", "--config", configured(tmp_path))
    assert done.returncode == 2
    assert "no source is named 'kitchen'; configured: bedroom" in done.stderr


def test_a_source_that_is_away_changes_nothing(tmp_path: Path) -> None:
    config = configuration(tmp_path, 1, source='url = "rtsp://127.0.0.1:9/a"')
    done = vser_stream("calibrate", "bedroom", "--config", config)
    assert done.returncode == 5
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    done = vser_stream("calibrate", "bedroom", "--config", configured(tmp_path))
    assert done.returncode == 3
    assert "cannot be written to" in done.stderr
