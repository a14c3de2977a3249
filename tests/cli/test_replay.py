import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import resample_poly
from support.audio import voice, write, write_float_wav, write_video
from support.broker import free_port
from support.chat_server import chat_server, completion
from support.command import vser_stream
from support.daemon import SCENE, configuration
from support.panic_model import panic_model

from vser_stream.adapters.audio.recording import Recording
from vser_stream.values import RATE

SILENCE = np.zeros(RATE, np.int16)


def lines(*arguments: object) -> list[dict[str, Any]]:
    done = vser_stream("replay", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def scene() -> list[dict[str, Any]]:
    return lines(SCENE)


def of_type(rows: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["type"] == kind]


def test_every_line_has_the_fields_of_the_contract(scene: list[dict[str, Any]]) -> None:
    assert {row["type"] for row in scene} == {"utterance", "alert"}
    assert set(of_type(scene, "utterance")[0]) >= {
        "source", "start_s", "end_s", "label", "probabilities", "confidence", "decided_by", "escalated",
        "rationale", "evidence",
    }  # fmt: skip
    assert set(of_type(scene, "alert")[0]) >= {"at_s", "schema", "id", "alert_id", "seq", "event", "label"}


def test_the_scene_is_calm_first_and_panic_in_the_end(scene: list[dict[str, Any]]) -> None:
    labels = [row["label"] for row in of_type(scene, "utterance")]
    assert labels[0] == "calm"
    assert labels[-1] == "panic"
    raised = [row for row in of_type(scene, "alert") if row["event"] in {"raised", "escalated"}]
    assert raised[-1]["label"] == "panic"


def test_the_scene_shows_the_whole_product(scene: list[dict[str, Any]], tmp_path: Path) -> None:
    """The reasoner is asked, anger and panic are told, and its second half is an alarm for itself."""
    utterances = of_type(scene, "utterance")
    assert any(row["escalated"] for row in utterances)
    assert {row["label"] for row in utterances} == {"calm", "angry", "panic"}
    pcm = np.concatenate([block.pcm for block in Recording(SCENE).blocks(lambda: False)])
    agitated = lines(write(tmp_path / "agitated.wav", pcm[15 * RATE : 24 * RATE]))
    assert [row["event"] for row in of_type(agitated, "alert")][:1] == ["raised"]


def test_an_alarm_never_comes_before_the_speech_that_raised_it(scene: list[dict[str, Any]]) -> None:
    first_calm_end = of_type(scene, "utterance")[0]["end_s"]
    assert all(row["at_s"] > first_calm_end for row in of_type(scene, "alert"))


@pytest.mark.parametrize(
    ("per_day", "raised"), [(24, "one utterance over the probability threshold"), (0.5, None)]
)
def test_the_alarm_of_a_recording_is_as_sensitive_as_false_alarms_are_allowed(
    tmp_path: Path, per_day: float, raised: str | None
) -> None:
    with (panic_model(tmp_path / "model") / "manifest.toml").open("a") as manifest:
        manifest.write("[alarm.panic]\nper_day = [24, 0.5]\ndistress = [50, 60]\nfast = [0.9, 0.999]\n")
    more = f'model = "model"\n[alarm]\nfalse_alarms_per_day = {per_day}\n[alarm.angry]\ndistress = 50\n'
    config = configuration(tmp_path, 1, more=more)
    recording = write(tmp_path / "cry.wav", np.concatenate([SILENCE, voice(1.3), SILENCE]))
    alerts = of_type(lines(recording, "--config", config), "alert")
    assert [alert["reason"][: len(raised or "")] for alert in alerts][:1] == ([raised] if raised else [])


def test_replay_is_the_same_each_time(scene: list[dict[str, Any]]) -> None:
    assert lines(SCENE) == scene


def test_any_rate_and_channels_give_the_same_labels(scene: list[dict[str, Any]], tmp_path: Path) -> None:
    pcm = np.concatenate([block.pcm for block in Recording(SCENE).blocks(lambda: False)])
    at_48_khz = resample_poly(pcm.astype(np.float64), 3, 1).clip(-32768, 32767).astype(np.int16)
    path = write(tmp_path / "scene.wav", np.stack([at_48_khz, at_48_khz]), rate=48_000)
    labels = [row["label"] for row in of_type(lines(path), "utterance")]
    assert labels == [row["label"] for row in of_type(scene, "utterance")]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.wav", None, "no such file"),
        ("empty.wav", b"", "the file is empty"),
        ("garbage.wav", b"not audio at all" * 100, "not a recording"),
    ],
)
def test_what_is_no_recording_is_one_line_and_code_4(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = vser_stream("replay", path)
    assert done.returncode == 4
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_video_without_sound_is_code_4(tmp_path: Path) -> None:
    done = vser_stream("replay", write_video(tmp_path / "mute.mp4", None))
    assert (done.returncode, "no audio track" in done.stderr) == (4, True)


def test_one_bad_file_does_not_cost_the_others(tmp_path: Path) -> None:
    done = vser_stream("replay", "--json", tmp_path / "absent.wav", SCENE)
    assert done.returncode == 4
    assert len(done.stdout.splitlines()) > 5


@pytest.mark.parametrize("samples", [SILENCE, SILENCE[:160], SILENCE[:1]], ids=["zeros", "10 ms", "a sample"])
def test_a_clip_without_speech_says_so(tmp_path: Path, samples: np.ndarray) -> None:
    done = vser_stream("replay", write(tmp_path / "clip.wav", samples))
    assert done.returncode == 0
    assert "no speech found" in done.stderr
    assert done.stdout == ""


def test_samples_that_are_no_numbers_do_not_poison_the_rest(tmp_path: Path) -> None:
    samples = (voice(3.0) / 32768.0).astype(np.float32)
    samples[100:200] = np.nan
    samples[RATE] = np.inf
    rows = of_type(lines(write_float_wav(tmp_path / "nan.wav", samples)), "utterance")
    assert rows
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1.0, abs=1e-3)


def test_a_clip_shorter_than_a_window_is_judged_as_an_utterance(tmp_path: Path) -> None:
    samples = np.concatenate([SILENCE, voice(0.7), SILENCE])
    (row,) = of_type(lines(write(tmp_path / "short.wav", samples)), "utterance")
    assert 0.3 < row["end_s"] - row["start_s"] < 1.0


def test_people_get_a_line_for_each_utterance_and_alarm() -> None:
    done = vser_stream("replay", SCENE)
    assert done.returncode == 0
    assert "ALARM raised" in done.stdout
    assert "the usual" in done.stdout


def test_a_reasoner_whose_answers_cannot_be_used_is_told_once_and_costs_no_utterance(
    scene: list[dict[str, Any]], tmp_path: Path
) -> None:
    with chat_server(lambda _: completion("I am sure it is panic.")) as server:
        reasoner = f'[reasoner]\nbackend = "server"\nurl = "{server.url}"\ndeadline = 60'
        reasoner += "\n[route]\nescalate_below = 1.0"
        config = configuration(tmp_path, free_port(), more=reasoner)
        done = vser_stream("replay", "--json", "--config", config, SCENE)
    heard = of_type([json.loads(line) for line in done.stdout.splitlines()], "utterance")
    assert len(heard) == len(of_type(scene, "utterance"))
    assert [row["decided_by"] for row in heard].count("fallback") > 1
    why = "the answer is not the JSON object asked for"
    once, again = done.stderr.splitlines()
    assert once == f"reasoner unavailable, falling back to the SVM: reason={why}"
    assert again.endswith(f"unavailable, 3 failed): {why}"), again
