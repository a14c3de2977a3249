from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.audio import voice

from vser_stream.training.simulation.household import Wave, loudness
from vser_stream.training.simulation.room import Place, Room, response_of
from vser_stream.values import RATE


def decaying(rt60: float, *, seconds: float = 1.0, first: float = 8.0) -> Wave:
    rng = np.random.default_rng(0)
    n = round(seconds * RATE)
    tail = rng.standard_normal(n) * 10 ** (-3.0 * np.arange(n) / (rt60 * RATE))
    tail[0] = first
    return np.pad(tail, (200, 0)).astype(np.float32)


def test_a_rooms_response_begins_with_the_sound_itself_and_ends_with_its_echo() -> None:
    response = response_of(decaying(0.5))
    assert response is not None
    assert np.argmax(np.abs(response)) == 0
    assert np.sum(response**2) == pytest.approx(1.0, rel=1e-3)
    assert 0.2 * RATE < len(response) < 0.6 * RATE


@pytest.mark.parametrize(
    "wave",
    [
        decaying(0.5)[::-1],
        decaying(6.0, seconds=4.0),
        np.sin(2 * np.pi * 6000 * np.arange(400) / RATE).astype(np.float32) * np.hanning(400),
    ],
    ids=["played backwards", "a cathedral", "a whistle"],
)
def test_what_is_no_room_is_not_lived_in(wave: NDArray[np.float32]) -> None:
    assert response_of(wave.astype(np.float32)) is None


def drawn(**wanted: bool) -> Room:
    """The first room whose walls are real, or made, as wanted."""
    response = response_of(decaying(0.5))
    assert response is not None
    calm = [voice(1.0).astype(np.float32) / np.float32(32768)]
    rooms = (Room.drawn(calm, np.random.default_rng(seed), responses=[response]) for seed in range(60))
    return next(
        room
        for room in rooms
        if (room.response is not None, room.walls.rt60 is not None) == (wanted["real"], wanted["made"])
    )


@pytest.mark.parametrize(("real", "made"), [(True, False), (False, True), (False, False)])
def test_of_a_click_far_away_more_is_echo_and_its_loudness_is_as_asked(*, real: bool, made: bool) -> None:
    room = drawn(real=real, made=made)
    click = np.zeros(RATE // 4, np.float32)
    click[:40] = 1.0
    shares = []
    for place in (Place.NEAR, Place.FAR):
        wave = room.spoken(click, level_db=3.0, place=place)
        assert 20 * np.log10(loudness(wave)) == pytest.approx(room.calm_db + 3.0, abs=0.1)
        shares.append(float(np.sum(wave[200:] ** 2) / np.sum(wave**2)))
    assert (shares[1] > shares[0]) is (real or made)


def test_without_real_rooms_none_is_real() -> None:
    calm = [voice(1.0).astype(np.float32) / np.float32(32768)]
    assert all(Room.drawn(calm, np.random.default_rng(seed)).response is None for seed in range(20))
