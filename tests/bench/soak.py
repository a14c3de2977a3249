"""Listen to a camera and a virtual microphone for hours; print drops, drift and memory.

    PYTHONPATH=tests python tests/bench/soak.py [--minutes 5] [--every 60]

Needs the programs of the tests (PulseAudio, gst-rtsp-server). The whole path runs but for the
broker: capture, pipeline with the shipped model, health documents. Ends with code 1 if audio was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from support.audio import voice
from support.camera import camera
from support.leaks import memory
from support.sound_server import SoundServer, sound_server

from vser_stream.adapters.audio.microphone import Microphone
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.config.schema import PipelineConfig, PublishConfig, ReasonerConfig
from vser_stream.core.technical_condition import Condition
from vser_stream.core.wire.numbering import Reporter
from vser_stream.core.wire.source_snapshot import Remembered
from vser_stream.ports import AudioSource
from vser_stream.runtime.build import Engine
from vser_stream.runtime.source.capture import Capture
from vser_stream.runtime.source.documents import new_id
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.source.parts import Shared, Source
from vser_stream.values import RATE, Memory, Message, Pcm, Record

SPEECH = np.concatenate([voice(4.0), np.zeros(6 * RATE, np.int16)])


def main() -> None:
    """Print a line for each source and interval, then the verdict."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two lines")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as scorer, playing(folder) as url:
        sources: dict[str, AudioSource] = {"camera": RtspCamera(url), "microphone": Microphone()}
        engine = Engine.load(PipelineConfig(reasoner=ReasonerConfig(backend="none")))
        listeners = [listener(name, source, engine, scorer) for name, source in sources.items()]
        asyncio.run(soak(listeners, seconds=60 * arguments.minutes, every=arguments.every))
    sys.exit(any(one.capture.lost or one.capture.dropped or one.capture.outages for one in listeners))


@contextmanager
def playing(folder: str) -> Iterator[str]:
    """A camera, whose URL this is, and the default microphone say the same over and over."""
    sound = Path(folder, "sound")
    sound.mkdir()
    with camera(SPEECH, Path(folder)) as served, sound_server(sound) as server:
        os.environ["PULSE_SERVER"] = server.address
        player = endless(server, SPEECH)
        try:
            yield served.url("pcma")
        finally:
            player.terminate()
            player.wait()


def endless(server: SoundServer, pcm: Pcm) -> subprocess.Popen[bytes]:
    """Play ``pcm`` until terminated."""
    raw = server.folder / "endless.raw"
    raw.write_bytes(pcm.tobytes())
    form = "--raw --format=s16le --rate=16000 --channels=1 --latency-msec=400"
    script = f"while cat {raw}; do :; done | exec pacat --server={server.address} {form}"
    return subprocess.Popen(["sh", "-c", script])


def listener(name: str, source: AudioSource, engine: Engine, scorer: ThreadPoolExecutor) -> Listener:
    """As the daemon makes it, with nobody to tell."""
    reporter = Reporter(site="soak", source=name, versions=engine.versions, new_id=new_id)
    publish = PublishConfig(utterances=True)
    nobody = Nobody()
    shared = Shared(nobody, nobody, scorer, nobody, publish, Metrics())
    return Listener(Source(Capture(name, source), engine.pipeline(engine.config.alarm), reporter), shared)


class Nobody:
    """Takes it all and forgets it, knows of nothing earlier, and of nothing wrong."""

    async def commit(
        self, messages: Sequence[Message], *, memory: Memory | None = None, records: Sequence[Record] = ()
    ) -> None:
        """Forget it."""
        assert messages or memory
        del records

    async def recall(self, source: str) -> Remembered:
        """Nothing."""
        assert source
        return Remembered()

    def document(self, kept: Remembered) -> bytes:
        """In no form."""
        assert kept
        return b""

    def of(self, source: str) -> tuple[Condition, ...]:
        """Nothing."""
        assert source
        return ()


async def soak(listeners: list[Listener], *, seconds: float, every: float) -> None:
    """Listen for so long, and print how it goes."""
    began, tasks = time.monotonic(), [asyncio.create_task(one.run()) for one in listeners]
    while (left := began + seconds - time.monotonic()) > 0:
        await asyncio.sleep(min(left, every))
        for one in listeners:
            print(line(one, time.monotonic() - began), flush=True)
    for one in listeners:
        one.stop()
    await asyncio.gather(*tasks)


def line(listener: Listener, elapsed: float) -> str:
    """One source in figures."""
    health = listener.health()
    drift = "  -  " if health.drift_ppm is None else f"{health.drift_ppm:+.0f}"
    threads = len(list(Path("/proc/self/task").iterdir()))
    return (
        f"{elapsed / 60:7.1f} min {health.source:10} {health.capture.value:8} outages {health.outages} "
        f"lost {health.lost_samples} overruns {health.overruns} dropped {health.dropped_blocks} "
        f"drift {drift} ppm, heard {health.utterances}, not judged {health.rejected}, "
        f"memory {memory():.1f} MB, threads {threads}, conditions {[c.name.value for c in health.conditions]}"
    )


if __name__ == "__main__":
    main()
