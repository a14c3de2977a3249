from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.audio import voice

from vser_stream.training.household import NOISES, loudness
from vser_stream.training.scenes import RESIDENT, TELEVISION, VISITOR, Cast, Event, Scene, compose, trimmed
from vser_stream.values import RATE, Label, Pcm

MINUTES = 6.0


def cast() -> Cast:
    def clips(seed: int, gain: float, count: int = 5) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        return [trimmed(voice(1.5, seed=seed + index)) * np.float32(gain) for index in range(count)]

    return Cast(
        resident={Label.CALM: clips(0, 0.1), Label.ANGRY: clips(10, 0.2), Label.PANIC: clips(20, 0.8)},
        enrolled=clips(30, 0.1, count=3),
        others=[clips(40, 0.3), clips(50, 0.01)],
    )


@pytest.fixture(scope="module")
def scene() -> Scene:
    return compose(cast(), minutes=MINUTES, seed=(0, 1))


@pytest.fixture(scope="module")
def half_hour() -> Scene:
    return compose(cast(), minutes=30, seed=(0, 3))


def level_db(pcm: Pcm, start: float, end: float) -> float:
    wave = pcm[round(start * RATE) : round(end * RATE)].astype(np.float32)
    return 20 * float(np.log10(loudness(wave) / 32768))


def test_a_clip_is_trimmed_to_its_speech() -> None:
    speech = voice(1.0)
    room = np.random.default_rng(0).integers(-8, 9, RATE).astype(np.int16)
    clip = trimmed(np.concatenate([room, speech, room]))
    assert abs(len(clip) - len(speech)) <= RATE // 20
    assert clip[0] == clip[-1] == 0.0


def test_a_silent_clip_is_left_as_it_is() -> None:
    assert trimmed(np.zeros(RATE, np.int16)).shape == (RATE,)


def test_the_same_cast_and_seed_give_the_same_samples() -> None:
    one, again, other = (compose(cast(), minutes=1, seed=(0, home)) for home in (1, 1, 2))
    assert np.array_equal(one.pcm, again.pcm)
    assert (one.sounds, one.events) == (again.sounds, again.events)
    assert not np.array_equal(one.pcm, other.pcm)


def test_events_of_each_emotion_come_two_to_four_an_hour_and_far_apart(half_hour: Scene) -> None:
    events = half_hour.events
    for label in (Label.ANGRY, Label.PANIC):
        assert 1 <= sum(event.label is label for event in events) <= 2
    assert all(2 < event.end - event.start < 4 * 1.5 + 3 * 0.8 for event in events)
    assert all(late.start - early.end > 90 for early, late in itertools.pairwise(events))


def test_a_resident_without_angry_clips_is_never_angry() -> None:
    calm = cast()
    quiet = replace(calm, resident={label: calm.resident[label] for label in (Label.CALM, Label.PANIC)})
    assert {event.label for event in compose(quiet, minutes=1, seed=(0, 1)).events} == {Label.PANIC}


def test_an_event_begins_with_its_first_word_and_ends_with_its_last(scene: Scene) -> None:
    for event in scene.events:
        words = [sound for sound in scene.sounds if sound.what == event.label]
        mine = [word for word in words if event.start <= word.start <= event.end]
        assert Event(event.label, mine[0].start, mine[-1].end) == event
    panic = next(event for event in scene.events if event.label is Label.PANIC)
    assert level_db(scene.pcm, panic.start, panic.end) > level_db(scene.pcm, panic.start - 2, panic.start) + 6


@pytest.mark.parametrize("home", range(6))
def test_nobody_else_in_the_room_speaks_during_an_event(home: int) -> None:
    scene = compose(cast(), minutes=1, seed=(1, home))
    for event in scene.events:
        for sound in scene.sounds:
            if sound.what in {RESIDENT, VISITOR}:
                assert sound.end <= event.start - 2.9 or sound.start >= event.end + 2.9


def test_all_kinds_of_sound_are_heard(half_hour: Scene) -> None:
    heard = {sound.what for sound in half_hour.sounds}
    assert heard >= {RESIDENT, VISITOR, TELEVISION, "angry", "panic"}
    assert heard & set(NOISES)


def test_the_enrolled_clips_come_through_the_same_room(scene: Scene) -> None:
    calm = [sound for sound in scene.sounds if sound.what == RESIDENT]
    assert len(scene.enrolment) == 3
    levels = [level_db(scene.pcm, sound.start, sound.end) for sound in calm]
    enrolled = [level_db(pcm, 0.5, len(pcm) / RATE - 0.5) for pcm in scene.enrolment]
    assert np.median(levels) == pytest.approx(np.median(enrolled), abs=4.0)
    floors = [level_db(pcm, 0.0, 0.4) for pcm in (*scene.enrolment, scene.pcm)]
    assert max(floors) - min(floors) < 3.0


def test_the_blocks_of_a_scene_are_the_scene(scene: Scene) -> None:
    blocks = list(scene.blocks())
    assert np.array_equal(np.concatenate([block.pcm for block in blocks]), scene.pcm)
    assert [block.start for block in blocks[:3]] == [0, RATE, 2 * RATE]
    assert blocks[2].heard_at == 2.0
    assert len(scene.pcm) == 60 * MINUTES * RATE


def test_without_anybody_else_there_is_no_visitor() -> None:
    alone = compose(replace(cast(), others=[]), minutes=2, seed=(0, 1))
    assert VISITOR not in {sound.what for sound in alone.sounds}
