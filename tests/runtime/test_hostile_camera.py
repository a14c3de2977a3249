"""A camera that floods beside one that is as it should be."""

import asyncio
import itertools
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.audio import voice
from support.camera import camera
from support.odd_camera import description, odd_camera, rtp
from support.patience import HANGS

from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.core.audio.capture_state import CaptureState
from vser_stream.core.audio.signal_faults import SignalWatch
from vser_stream.runtime.source.capture import Capture
from vser_stream.values import RATE, Block

OPUS = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2\r\na=control:track1\r\n"
G726 = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-16/4000\r\na=control:track1\r\n"
WIDE = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 L16/4000/1\r\na=control:track1\r\n"


def endless(payload: bytes) -> Iterator[bytes]:
    for number in itertools.count():
        yield rtp(payload, sequence=number, timestamp=number * 960, payload_type=97)


async def score(
    capture: Capture, scorer: ThreadPoolExecutor, heard: list[Block], enough: asyncio.Event
) -> None:
    """As a listener does: one block at a time, in turn with all others."""
    watching = SignalWatch()

    def work(block: Block) -> None:
        watching.feed(block)
        time.sleep(len(block.pcm) / RATE / 20)  # the whole pipeline is about so fast on a small box

    async for block in capture.blocks():
        if block is not None:
            await asyncio.get_running_loop().run_in_executor(scorer, work, block)
            heard.append(block)
        enough.set()


@pytest.mark.parametrize(
    ("track", "payload"),
    [(OPUS, b"\xf8\xff\xfe"), (G726, bytes(60_000)), (WIDE, bytes(60_000)), (WIDE, b"")],
    ids=["Opus of 3 bytes", "4 kHz of 2 bits", "4 kHz of 16 bits", "packets without audio"],
)
async def test_a_camera_that_floods_is_lost_and_the_other_room_heard_whole(
    tmp_path: Path, track: str, payload: bytes
) -> None:
    tracemalloc.start()
    moved = asyncio.Event()
    loud: list[Block] = []
    good: list[Block] = []
    try:
        with (
            camera(voice(10.0), tmp_path) as honest,
            odd_camera(description(track), endless(payload)) as hostile,
            ThreadPoolExecutor(1) as scorer,
        ):
            flooding = Capture("flood", RtspCamera(hostile.url()))
            room = Capture("room", RtspCamera(honest.url("pcma")))
            flooding.changed = room.changed = moved
            async with asyncio.timeout(HANGS), asyncio.TaskGroup() as tasks:
                tasks.create_task(score(flooding, scorer, loud, moved))
                tasks.create_task(score(room, scorer, good, moved))
                while not (flooding.restarts and good and good[-1].end > 3 * RATE):
                    moved.clear()
                    await moved.wait()
                reasons = [
                    one.reason or "" for one in flooding.transitions if one.after is CaptureState.BACKOFF
                ]
                flooding.stop()
                room.stop()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # On a busy box packets without audio may be too many undecodable ones before they are too many.
    told = ["much faster than real time", "far more packets", *([] if payload else ["cannot be decoded"])]
    assert any(words in reasons[0] for words in told)
    assert room.dropped == room.restarts == 0
    assert sum(len(block.pcm) for block in good) >= 3 * RATE - 1
    assert most < 60e6
    assert np.abs(np.concatenate([block.pcm for block in good])).max() > 1000
