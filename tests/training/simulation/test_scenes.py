from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.corpora import write_corpus, write_sounds

from vser_stream.training.data.corpus import Clip, read_corpora
from vser_stream.training.data.sound_kinds import Answer
from vser_stream.training.simulation.household import loudness
from vser_stream.training.simulation.scenes import Cast, Event, Hours, Scene, compose, compose_quiet
from vser_stream.training.simulation.surroundings import (
    LOOK_ALIKE,
    RADIO,
    RESIDENT,
    SCREAM,
    VISITOR,
    Surroundings,
)
from vser_stream.values import RATE, Label, Pcm


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    people = write_corpus(tmp_path_factory.mktemp("people"), speakers=2, clips=6)
    return read_corpora([people, write_sounds(tmp_path_factory.mktemp("sounds"))])


def cast(clips: tuple[Clip, ...], *, answers: tuple[Answer, ...] = tuple(Answer)) -> Cast:
    said = {answer: [it for it in clips if it.speaker == "s0" and it.answer is answer] for answer in answers}
    calm = said[Answer.CALM]
    said[Answer.CALM] = calm[3:]
    return Cast("s0", resident=said, enrolled=calm[:3], around=Surroundings.of(clips))


@pytest.fixture(scope="module")
def scene(clips: tuple[Clip, ...]) -> Scene:
    return compose(cast(clips), minutes=15, seed=(0, 4))


def level_db(pcm: Pcm, start: float, end: float) -> float:
    wave = pcm[round(start * RATE) : round(end * RATE)].astype(np.float32)
    return 20 * float(np.log10(loudness(wave) / 32768))


def test_the_same_cast_and_seed_give_the_same_samples(clips: tuple[Clip, ...]) -> None:
    one, again, other = (compose(cast(clips), minutes=1, seed=(0, home)) for home in (1, 1, 2))
    assert np.array_equal(one.pcm, again.pcm)
    assert (one.sounds, one.events) == (again.sounds, again.events)
    assert not np.array_equal(one.pcm, other.pcm)


def test_events_of_every_kind_come_again_and_again(scene: Scene) -> None:
    assert {event.answer for event in scene.events} == {Answer.PANIC, Answer.ANGRY, Answer.SCREAM}
    assert 4 <= len(scene.events) <= 20
    assert {event.label for event in scene.events if event.answer is Answer.SCREAM} == {Label.PANIC}


def test_a_resident_without_angry_clips_is_never_angry(clips: tuple[Clip, ...]) -> None:
    quiet = cast(clips, answers=(Answer.CALM, Answer.PANIC))
    events = compose(quiet, minutes=10, seed=(0, 1)).events
    assert {event.answer for event in events} <= {Answer.PANIC, Answer.SCREAM}


def test_an_event_begins_with_its_first_voice_and_ends_with_its_last(scene: Scene) -> None:
    for event in scene.events:
        mine = [it for it in scene.sounds if it.answer is event.answer and it.start <= event.end]
        mine = [it for it in mine if it.end >= event.start]
        assert Event(event.answer, mine[0].start, mine[-1].end) == event


def test_nobody_else_in_the_room_is_heard_during_an_event_and_soon_after(scene: Scene) -> None:
    for event in scene.events:
        for sound in scene.sounds:
            if sound.answer is not None and sound.answer is not event.answer:
                assert sound.end <= event.start or sound.start >= event.end + 7.9


def test_all_kinds_of_sound_are_heard(scene: Scene) -> None:
    assert {sound.what for sound in scene.sounds} >= {RESIDENT, VISITOR, LOOK_ALIKE, RADIO, SCREAM, "panic"}


def test_the_enrolled_clips_come_through_the_same_room(scene: Scene) -> None:
    calm = [sound for sound in scene.sounds if sound.what == RESIDENT]
    assert len(scene.enrolment) == 3
    levels = [level_db(scene.pcm, sound.start, sound.end) for sound in calm]
    enrolled = [level_db(pcm, 0.5, len(pcm) / RATE - 0.5) for pcm in scene.enrolment]
    assert np.median(levels) == pytest.approx(np.median(enrolled), abs=5.0)


def test_the_blocks_of_a_scene_are_the_scene(scene: Scene) -> None:
    blocks = list(scene.blocks())
    assert np.array_equal(np.concatenate([block.pcm for block in blocks]), scene.pcm)
    assert [block.start for block in blocks[:3]] == [0, RATE, 2 * RATE]
    assert blocks[2].heard_at == 2.0
    assert len(scene.pcm) == 15 * 60 * RATE


def test_without_sounds_somebody_lives_there_all_the_same(tmp_path: Path) -> None:
    alone = read_corpora(write_corpus(tmp_path, speakers=1, clips=4))
    scene = compose(cast(alone), minutes=3, seed=(0, 1))
    assert {sound.what for sound in scene.sounds} <= {RESIDENT, "panic", "angry", RADIO, "background"}


@pytest.mark.parametrize("hours", [Hours.TALK, Hours.MEETING, Hours.RADIO])
def test_in_quiet_hours_nothing_happens_and_somebody_is_heard(clips: tuple[Clip, ...], hours: Hours) -> None:
    scene = compose_quiet(Surroundings.of(clips), hours, minutes=2, seed=(0, 1))
    assert scene.events == ()
    mine = RADIO if hours is Hours.RADIO else VISITOR
    assert {it.what for it in scene.sounds} - {"background"} == {mine}
    assert sum(it.end - it.start for it in scene.sounds if it.what == mine) > 40
