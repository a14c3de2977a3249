import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.audio.framing import Framer
from vser_stream.values import FRAME, RATE, Block, Frame

START = 1_700_000_000.0


def blocks_of(pcm: np.ndarray, cuts: list[int]) -> list[Block]:
    edges = [0, *sorted(cuts), len(pcm)]
    return [
        Block(pcm=pcm[a:b].copy(), start=a, heard_at=START + a / RATE)
        for a, b in itertools.pairwise(edges)
        if b > a
    ]


def frames_of(blocks: list[Block]) -> list[Frame]:
    framer = Framer()
    return [frame for block in blocks for frame in framer.feed(block)]


@given(cuts=st.lists(st.integers(0, 5000), max_size=20))
def test_frames_do_not_depend_on_how_the_input_was_cut(cuts: list[int]) -> None:
    pcm = np.arange(5000, dtype=np.int16)
    frames = frames_of(blocks_of(pcm, cuts))
    assert [frame.start for frame in frames] == [n * FRAME for n in range(5000 // FRAME)]
    assert np.array_equal(np.concatenate([f.pcm for f in frames]), pcm[: 5000 // FRAME * FRAME])
    assert np.allclose([f.heard_at - START for f in frames], [f.start / RATE for f in frames], atol=1e-6)
    assert not any(frame.after_gap for frame in frames)


def test_a_gap_drops_the_unfinished_frame_and_marks_the_next() -> None:
    pcm = np.arange(700, dtype=np.int16)
    first = Block(pcm=pcm, start=0, heard_at=START)
    second = Block(pcm=pcm.copy(), start=1000, heard_at=START + 1000 / RATE)
    frames = frames_of([first, second])
    assert [(f.start, f.after_gap) for f in frames] == [(0, False), (1000, True)]
    assert np.array_equal(frames[1].pcm, pcm[:FRAME])


def test_a_gap_is_told_although_the_block_after_it_is_shorter_than_a_frame() -> None:
    lone = Block(pcm=np.zeros(100, np.int16), start=2000, heard_at=START)
    rest = Block(pcm=np.zeros(FRAME, np.int16), start=2100, heard_at=START)
    first = Block(pcm=np.zeros(FRAME, np.int16), start=0, heard_at=START)
    assert [f.after_gap for f in frames_of([first, lone, rest])] == [False, True]


def test_a_clock_that_is_set_is_followed_although_no_block_ends_where_a_frame_does() -> None:
    blocks = [
        Block(
            np.zeros(319, np.int16),
            start=n * 319,
            heard_at=START + n * 319 / RATE + (86_400 if n > 50 else 0),
        )
        for n in range(100)
    ]
    frames = frames_of(blocks)
    off = [round(frame.heard_at - START - frame.start / RATE, 3) for frame in frames]
    assert set(off) == {0.0, 86_400.0}
    assert off == sorted(off)
    assert off.index(86_400.0) == 51 * 319 // FRAME


@given(st.lists(st.tuples(st.integers(1, 3000), st.floats(-9e4, 9e4)), min_size=1, max_size=40))
def test_no_frame_ends_after_the_block_that_completed_it(blocks: list[tuple[int, float]]) -> None:
    framer, start = Framer(), 0
    for n, heard_at in blocks:
        block = Block(np.zeros(n, np.int16), start=start, heard_at=START + heard_at)
        start = block.end
        for frame in framer.feed(block):
            assert frame.heard_at + FRAME / RATE <= block.heard_at + n / RATE + 1e-6
