"""A recording as one utterance: for training, and for judging files one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from vser_stream.config.schema import SegmentConfig
from vser_stream.core.audio.framing import Framer
from vser_stream.core.audio.level import SILENCE_DB
from vser_stream.core.audio.segment import Segmenter
from vser_stream.errors import AudioError
from vser_stream.ports import SpeechDetector
from vser_stream.values import FRAME, RATE, Block, Cut, Segment, SegmentKind

__all__ = ["clip_segment", "first_part"]


def clip_segment(
    blocks: Iterable[Block],
    detector: SpeechDetector,
    *,
    config: SegmentConfig | None = None,
) -> Segment:
    """Return the span from the first speech of a recording to its last, as one utterance.

    A recording in which nothing is taken for speech is returned whole: whoever asks about a file
    wants an answer.

    Args:
        blocks: The recording, without gaps.
        detector: A fresh one; it sees every frame in order.
        config: That of the live agent, unless told otherwise.

    Raises:
        AudioError: It is shorter than one frame.
    """
    recording = _joined(blocks)
    if len(recording.pcm) < FRAME:
        raise AudioError(f"holds less than {1000 * FRAME // RATE} ms of audio; give a longer recording")
    utterances = _utterances(recording, detector, config)
    if not utterances:
        return _whole(recording)
    first, last = utterances[0], utterances[-1]
    return Segment(
        kind=SegmentKind.UTTERANCE,
        pcm=recording.pcm[first.start : last.start + len(last.pcm)].copy(),
        start=first.start,
        onset=first.onset,
        end=last.end,
        heard_at=first.heard_at,
        floor_db=first.floor_db,
        cut=last.cut,
    )


def first_part(segment: Segment, length: float) -> Segment:
    """Return the first ``length`` seconds of the speech of an utterance, as a window has them."""
    end = min(segment.onset + round(length * RATE), segment.end)
    return replace(
        segment, kind=SegmentKind.WINDOW, pcm=segment.pcm[: end - segment.start].copy(), end=end, cut=None
    )


def _joined(blocks: Iterable[Block]) -> Block:
    pieces = list(blocks)
    pcm = np.concatenate([np.empty(0, np.int16), *(piece.pcm for piece in pieces)])
    return Block(pcm=pcm, start=0, heard_at=pieces[0].heard_at if pieces else 0.0)


def _utterances(recording: Block, detector: SpeechDetector, config: SegmentConfig | None) -> list[Segment]:
    segmenter = Segmenter(config)
    found = [
        segment
        for frame in Framer().feed(recording)
        for segment in segmenter.feed(frame, is_speech=detector.is_speech(frame.pcm))
    ]
    return [segment for segment in found + segmenter.flush() if segment.kind is SegmentKind.UTTERANCE]


def _whole(recording: Block) -> Segment:
    return Segment(
        kind=SegmentKind.UTTERANCE,
        pcm=recording.pcm,
        start=0,
        onset=0,
        end=len(recording.pcm),
        heard_at=recording.heard_at,
        floor_db=SILENCE_DB,
        cut=Cut.END,
    )
