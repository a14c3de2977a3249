import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.audio import voice

from vser_stream.core.audio.downmix import Downmix
from vser_stream.core.audio.level import level_db
from vser_stream.values import RATE, Pcm

VOICE = voice(2.0)
NOISE = np.random.default_rng(3).normal(0, 20, (len(VOICE), 8)).astype(np.int16)


def mixed(*channels: Pcm, cuts: list[int] | None = None) -> Pcm:
    pcm = np.stack(channels, axis=1)
    downmix, edges = Downmix(len(channels)), [0, *sorted(cuts or []), len(pcm)]
    return np.concatenate([downmix.feed(pcm[a:b]) for a, b in itertools.pairwise(edges)])


@pytest.mark.parametrize("count", [2, 3, 6, 8])
def test_the_same_in_all_channels_comes_through_bit_by_bit(count: int) -> None:
    assert np.array_equal(mixed(*[VOICE] * count), VOICE)


def test_opposite_phase_is_heard_from_its_second_tenth_on_and_whole_after_a_third() -> None:
    out = mixed(VOICE, -VOICE)
    assert np.array_equal(np.abs(out[RATE // 5 :]), np.abs(VOICE[RATE // 5 :]))


@pytest.mark.parametrize("count", [2, 4, 6, 8])
@pytest.mark.parametrize("live", [0, 1])
def test_one_live_channel_is_heard_however_many_are_not(count: int, live: int) -> None:
    channels = [NOISE[:, number] for number in range(count)]
    channels[live] = VOICE
    out = mixed(*channels)[RATE // 2 :]
    assert level_db(out) > level_db(VOICE[RATE // 2 :]) - 7.0


def test_a_voice_that_changes_its_channel_is_followed() -> None:
    silent = np.zeros_like(VOICE)
    turn = np.concatenate
    out = mixed(turn([VOICE, silent]), *[np.zeros(2 * len(VOICE), np.int16)] * 6, turn([silent, VOICE]))
    assert np.array_equal(out[-RATE:], VOICE[-RATE:])


@given(st.lists(st.integers(0, len(VOICE)), max_size=12), st.integers(0, 3))
def test_the_mix_does_not_depend_on_how_the_input_was_cut(cuts: list[int], kind: int) -> None:
    second = [VOICE, -VOICE, NOISE[:, 0], np.roll(-VOICE, RATE)][kind]
    assert np.array_equal(mixed(VOICE, second, cuts=cuts), mixed(VOICE, second))
