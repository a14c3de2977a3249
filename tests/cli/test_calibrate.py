import json
import os
from pathlib import Path

import numpy as np
from support.audio import voice, write
from support.broker import Mosquitto
from support.camera import camera
from support.command import vser_stream
from support.daemon import Subscriber, configuration, daemon, wait_for

from vser_stream.adapters.models.swift_f0 import SwiftF0Tracker
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.core.scoring.baseline import Baseline
from vser_stream.core.scoring.feature_identity import digest
from vser_stream.core.wire.source_snapshot import recall
from vser_stream.values import RATE

PAUSE = np.random.default_rng(0).normal(scale=10.0, size=RATE // 2).astype(np.int16)
SPEECH = np.concatenate([PAUSE, *(part for seed in range(3) for part in (voice(0.8, seed=seed), PAUSE))])
ONCE = np.concatenate([PAUSE, voice(0.9), PAUSE])


def configured(folder: Path, pcm: np.typing.NDArray[np.int16] = SPEECH) -> Path:
    return configuration(folder, 1, source=f'file = "{write(folder / "calm.wav", pcm)}"')


def kept(folder: Path) -> Baseline | None:
    """The calm voice that the daemon would begin with."""
    with SqliteOutbox(folder / "state/outbox.db") as outbox:
        document = outbox.memory("bedroom")
    return recall(document, features=digest(SwiftF0Tracker())).baseline if document else None


def learned_from(folder: Path) -> float:
    baseline = kept(folder)
    return 0.0 if baseline is None else baseline.count


def test_calm_speech_is_kept_until_better_is_heard_or_it_is_to_be_forgotten(tmp_path: Path) -> None:
    config = configured(tmp_path)
    for _ in range(2):  # the second starts anew
        done = vser_stream("calibrate", "bedroom", "--config", config, "--json")
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert (facts["source"], facts["stored"], facts["utterances"]) == ("bedroom", True, 3)
        assert facts["seconds"] == round(len(SPEECH) / RATE, 2)
        assert facts["voice_s"] > 1.0
        assert learned_from(tmp_path) == 3.0

    done = vser_stream("calibrate", "bedroom", "--config", configured(tmp_path, ONCE), "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["stored"] is False
    assert "1 calm utterances in 2 s, 3 are needed; nothing was changed" in done.stderr
    assert learned_from(tmp_path) == 3.0

    for words in ("forgotten", "there was no baseline"):
        done = vser_stream("calibrate", "bedroom", "--config", config, "--forget")
        assert (done.returncode, done.stdout) == (0, f"bedroom: {words}\n")
    assert kept(tmp_path) is None


def test_a_running_daemon_learns_from_what_it_hears_and_keeps_that(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker) as subscriber, camera(SPEECH, tmp_path) as served:
        config = configuration(tmp_path, broker.port, source=f'url = "{served.url("pcma")}"')
        with daemon(config) as process:
            wait_for(lambda: "online" in subscriber.statuses(), within=60, what="the source is heard")
            asked = ("calibrate", "bedroom", "--config", config)
            done = vser_stream(*asked, "--seconds", 8, "--json")
            assert done.returncode == 0, done.stderr
            facts = json.loads(done.stdout)
            assert facts["stored"]
            assert facts["utterances"] >= 3
            assert 8.0 <= facts["seconds"] < 9.0
            refused = vser_stream("calibrate", "hall", "--config", config)
            assert refused.returncode == 2
            process.kill()
            assert process.stderr
            log = process.stderr.read()
        assert f"baseline enrolled: source=bedroom utterances={facts['utterances']} uid=" in log
        assert learned_from(tmp_path) >= facts["utterances"]
        served.kill()  # or it would learn again at once
        with daemon(config):
            assert vser_stream_until_heard(config) == "bedroom: forgotten\n"
            assert vser_stream(*asked, "--forget").stdout == "bedroom: there was no baseline\n"
        assert kept(tmp_path) is None


def vser_stream_until_heard(config: Path) -> str:
    """Forget, once the daemon answers."""
    told = ""

    def forgets() -> bool:
        nonlocal told
        told = vser_stream("calibrate", "bedroom", "--config", config, "--forget").stdout
        return bool(told)

    wait_for(forgets, within=10, what="the daemon answers")
    return told


def test_where_the_state_is_another_users_the_daemon_must_run(tmp_path: Path) -> None:
    theirs = tmp_path / "state"
    theirs.mkdir()
    if os.geteuid() == 0:
        os.chown(theirs, 65534, 65534)
    else:
        theirs = Path("/usr")
    config = configured(tmp_path)
    config.write_text(config.read_text().replace('state_dir = "state"', f'state_dir = "{theirs}"'))
    before = list(theirs.iterdir())
    for forget in ((), ("--forget",)):
        done = vser_stream("calibrate", "bedroom", "--config", config, *forget)
        assert (done.returncode, done.stdout) == (5, "")
        assert "the daemon is not running; start it: systemctl start vser-stream" in done.stderr
    assert vser_stream("run", "--config", config).returncode in {3, 5}
    assert list(theirs.iterdir()) == before


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
    assert f"state_dir: '{tmp_path / 'state'}': is no folder" in done.stderr
