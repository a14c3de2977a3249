"""A real camera and a file of the same sound give the same utterances and labels."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.audio import locate, write
from support.camera import camera
from support.daemon import SCENE
from support.patience import HANGS

from vser_stream.adapters.audio.recording import Recording
from vser_stream.adapters.audio.rtsp_camera import RtspCamera
from vser_stream.config.schema import PipelineConfig, ReasonerConfig
from vser_stream.ports import AudioSource
from vser_stream.runtime.build import Engine
from vser_stream.values import FRAME, RATE, Block, Decision, Pcm, SegmentKind

LENGTH = 12 * RATE
ALONE = PipelineConfig(reasoner=ReasonerConfig(backend="none"))


def scene() -> Pcm:
    """A calm line and a panicky one with silence around, 12 s."""
    whole = np.concatenate([block.pcm for block in Recording(SCENE).blocks(lambda: False)])
    return np.concatenate([whole[: LENGTH // 2], whole[-LENGTH // 2 :]])


def heard(source: AudioSource) -> list[Block]:
    """The first :data:`LENGTH` samples of a source."""
    return list(itertools.takewhile(lambda block: block.start < LENGTH, source.blocks(lambda: False)))


def decisions(blocks: list[Block]) -> list[Decision]:
    """What the pipeline says of the utterances in them."""
    pipeline = Engine.load(ALONE).pipeline(ALONE.alarm)
    outcomes = [outcome for block in blocks for outcome in pipeline.feed(block)] + pipeline.flush()
    judged = [outcome.what for outcome in outcomes if isinstance(outcome.what, Decision)]
    return [one for one in judged if one.segment.kind is SegmentKind.UTTERANCE]


@pytest.mark.parametrize(("mount", "tolerance"), [("l16", 1e-6), ("pcma", 0.35)])
def test_a_camera_gives_what_the_file_gives(tmp_path: Path, mount: str, tolerance: float) -> None:
    pcm = scene()
    with camera(pcm, tmp_path) as served, ThreadPoolExecutor(1) as pool:
        live = pool.submit(heard, RtspCamera(served.url(mount))).result(timeout=HANGS)
    loud = slice(8 * RATE, 9 * RATE)
    offset = locate(np.concatenate([block.pcm for block in live])[loud], pcm)[0] - loud.start
    # Frames start with the first sample heard, so the file is cut where the camera began.
    path = write(tmp_path / "same.wav", pcm[max(offset, 0) :])
    from_camera, from_file = decisions(live), decisions(heard(Recording(path)))
    ours, theirs = (
        np.array([(one.segment.onset, one.segment.end) for one in judged])
        for judged in (from_camera, from_file)
    )
    pairs = list(zip(from_camera, from_file, strict=True))
    # Where the file is a tie (angry 0.48, panic 0.49), eight bits a sample may tip it.
    sure = [(one.label, other.label) for one, other in pairs if mount == "l16" or not other.escalated]
    assert len(sure) >= 2
    assert all(one is other for one, other in sure)
    assert np.abs(ours - theirs).max() <= (0 if mount == "l16" else 2 * FRAME)
    differences = [abs(one.confidence - other.probabilities.of(one.label)) for one, other in pairs]
    assert max(differences) <= tolerance
    assert not any(earlier.end != later.start for earlier, later in itertools.pairwise(live))
