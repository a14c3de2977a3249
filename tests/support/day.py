"""A day of a box: the daemon runs and each verb is used once, in a network of its own.

``python tests/support/day.py FOLDER`` inside :func:`support.egress.in_own_network`; what was seen lies in
``FOLDER/seen.json`` afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from support.audio import voice, write
from support.broker import Mosquitto, free_port
from support.camera import camera
from support.chat_server import chat_server, completion
from support.corpora import write_corpus
from support.daemon import SCENE, Subscriber, wait_for
from support.egress import Packets, enter_own_network, watched
from support.file_server import file_server
from support.patience import HANGS

from vser_stream.values import RATE

SHM = Path("/dev/shm")  # noqa: S108 - where the memory of more than one process lies
ROOT = Path(__file__).parents[2]
MODEL = ("--model", str(ROOT / "models/calm-angry-panic"))

VERBS: Mapping[str, Sequence[str]] = {
    "about": ["about", "--json", "--config", "vser.toml"],
    "config check": ["config", "check", "vser.toml"],
    "config schema": ["config", "schema", "--out", "out/schema"],
    "rules lint": ["rules", "lint"],
    "models verify": ["models", "verify"],
    "models pull": ["models", "pull", "{weights}", "--sha256", "{sha256}"],
    "replay": ["replay", "calm.wav"],
    "classify": ["classify", "--manifest", "clips.csv", "--root", ".", "--output", "out/labels.csv"],
    "devices": ["devices"],
    "probe, a camera": ["probe", "{camera}", "--seconds", "1"],
    # With figures for its pages; the training itself takes minutes: both end at a manifest of one speaker,
    # after everything they need has been loaded.
    "evaluate": ["evaluate", "--data", "corpus/manifest.csv", *MODEL, "--report", "out/report.html"],
    "train": ["train", "--data", "one.csv", "--out", "out/mine"],
    "train-reasoner": ["train-reasoner", "--data", "one.csv", "--out", "out/reasoner"],
    "doctor": ["doctor", "--config", "server.toml"],
    "calibrate": ["calibrate", "calm", "--config", "calm.toml", "--seconds", "10"],
    "pause": ["pause", "hall", "--minutes", "1", "--config", "vser.toml"],
    "resume": ["resume", "hall", "--config", "vser.toml"],
    "reload": ["reload", "--config", "vser.toml"],
}
"""While the daemon runs, before the first alarm."""

OF_AN_ALARM: Mapping[str, Sequence[str]] = {
    "ack": ["ack", "{alert_id}", "--config", "vser.toml"],
    "rules explain": ["rules", "explain", "--evidence", "alert.json"],
    "fhir": ["fhir", "alert.json"],
    "records": ["records", "ls", "--config", "vser.toml"],
    "rescore": ["rescore", "1", "--config", "vser.toml"],
    "purge": ["purge", "--config", "vser.toml", "--yes"],
}
AFTERWARDS: Mapping[str, Sequence[str]] = {
    "outbox": ["outbox", "ls", "--config", "vser.toml"],
    "outbox flush": ["outbox", "flush", "--config", "vser.toml"],
}


class Day:
    """What was done and seen so far.

    Args:
        folder: Where it lives: home, temporary files, configuration, output.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "traces").mkdir()
        self._folder = folder
        self._environment = {
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "TMPDIR": str(folder / "tmp"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",  # Python's own files, beside the code
        }
        """Of somebody who has just logged in for the first time."""

        self.rows: dict[str, dict[str, object]] = {}
        """Exit code, words and written files of each verb."""

    def use(self, verbs: Mapping[str, Sequence[str]], *, at_once: int = 1) -> None:
        """Run each to its end."""
        with ThreadPoolExecutor(at_once) as pool:
            for _ in pool.map(self._use, verbs.items()):
                pass  # or its error would be lost

    def _use(self, verb: tuple[str, Sequence[str]]) -> None:
        name, command = verb
        with self.running(name, *command) as process:
            process.wait(HANGS)

    @contextmanager
    def running(self, name: str, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A verb under watch; it is interrupted in the end if it still lives."""
        traces = self._folder / "traces" / name
        whole = [sys.executable, "-m", "vser_stream", *command]
        with watched(whole, folder=traces, cwd=self._folder, environment=self._environment) as run:
            yield run.process
        code, files = run.process.returncode, sorted(run.files)
        self.rows[name] = {"code": code, "told": run.told, "said": run.said, "files": files}


def spend(folder: Path) -> dict[str, object]:
    """Spend the day: what each verb did, who was called, who was named, and what was left behind."""
    with ExitStack() as stack:
        packets = stack.enter_context(Packets())
        broker = stack.enter_context(Mosquitto(folder))
        eye = stack.enter_context(camera(voice(20.0), folder))
        weights = stack.enter_context(file_server(b"GGUF and more"))
        server = stack.enter_context(chat_server(lambda _: completion("no")))
        page = free_port()
        settle(folder, broker=broker.port, camera=eye.url("l16"), page=page, server=server.url)
        names = {"camera": eye.url("l16"), "weights": weights.url}
        names["sha256"] = hashlib.sha256(weights.content).hexdigest()
        day = Day(folder)
        heard = stack.enter_context(Subscriber(broker))
        with day.running("run", "run", "--config", "vser.toml"):
            with day.running("watch", "watch", "--json", "--config", "vser.toml"):
                day.use(filled(VERBS, **names), at_once=2)
            wait_for(lambda: heard.documents("alert"), within=HANGS, what="an alert")
            alert = heard.documents("alert")[0]
            (folder / "alert.json").write_text(json.dumps(alert))
            day.use(filled(OF_AN_ALARM, **alert))
            urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics").close()
        day.use(AFTERWARDS)
    daemons = [broker.port, eye.port, page]
    ports = [*daemons, *(urlsplit(url).port for url in (weights.url, server.url))]
    return {
        "verbs": day.rows,
        "called": sorted(packets.called),
        "daemons": daemons,
        "named": sorted(f"tcp 127.0.0.1:{port}" for port in ports),
        "left": [str(path) for place in (folder / "tmp", SHM) for path in place.rglob("*")],
    }


def filled(verbs: Mapping[str, Sequence[str]], **names: str) -> dict[str, list[str]]:
    """Each ``{name}`` replaced by what it is today."""
    return {
        verb: [names.get(word[1:-1], word) if word.startswith("{") else word for word in words]
        for verb, words in verbs.items()
    }


def settle(folder: Path, *, broker: int, camera: str, page: int, server: str) -> None:
    """Write down everything that the verbs read."""
    for name in ("home", "run", "tmp", "out"):
        (folder / name).mkdir()
    (folder / "run").chmod(0o700)
    mqtt = f'site = "home-1"\nstate_dir = "state"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker}\n'
    bedroom = f'[[sources]]\nname = "bedroom"\nfile = "{SCENE}"\n'
    (folder / "vser.toml").write_text(
        f'{mqtt}[http]\nport = {page}\n{bedroom}[[sources]]\nname = "hall"\nurl = "{camera}"\n'
        '[[sources]]\nname = "desk"\ndevice = "default"\n'
    )
    (folder / "server.toml").write_text(
        f'{mqtt}[reasoner]\nbackend = "server"\nurl = "{server}/v1"\n{bedroom}'
    )
    calm = '[[sources]]\nname = "calm"\nfile = "calm.wav"\n'
    (folder / "calm.toml").write_text(mqtt.replace('"state"', '"calm"') + calm)
    pause = np.random.default_rng(0).normal(scale=10.0, size=RATE // 2).astype(np.int16)
    thrice = [part for seed in range(3) for part in (voice(0.8, seed=seed), pause)]
    write(folder / "calm.wav", np.concatenate([pause, *thrice]))
    (folder / "clips.csv").write_text("path,speaker,role\ncalm.wav,s,enrol\ncalm.wav,s,test\n")
    (folder / "one.csv").write_text("path,speaker,label\ncalm.wav,s,calm\n")
    write_corpus(folder / "corpus", speakers=2, clips=1)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    enter_own_network()
    Path("seen.json").write_text(json.dumps(spend(Path.cwd())))
