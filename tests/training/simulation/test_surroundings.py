from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.audio import voice
from support.corpora import write_corpus, write_sounds

from vser_stream.training.data.corpus import Clip, read_corpora
from vser_stream.training.data.sound_kinds import Answer, Role
from vser_stream.training.simulation.room import Room, Tape
from vser_stream.training.simulation.surroundings import (
    BACKGROUND,
    LIVELY,
    LOOK_ALIKE,
    RADIO,
    SCREAM,
    VISITOR,
    Surroundings,
    Turn,
    heard,
    play_radio,
    play_turn,
    trimmed,
    turn_of,
)
from vser_stream.values import RATE


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, ...]:
    people = write_corpus(tmp_path_factory.mktemp("people"), speakers=4, clips=2, corpora=("one", "two"))
    return read_corpora([people, write_sounds(tmp_path_factory.mktemp("sounds"))])


def test_a_clip_is_trimmed_to_its_speech() -> None:
    speech = voice(1.0)
    room = np.random.default_rng(0).integers(-8, 9, RATE).astype(np.int16)
    clip = trimmed(np.concatenate([room, speech, room]))
    assert abs(len(clip) - len(speech)) <= RATE // 20
    assert clip[0] == clip[-1] == 0.0


def test_a_silent_clip_is_left_as_it_is() -> None:
    assert trimmed(np.zeros(RATE, np.int16)).shape == (RATE,)


def test_what_is_heard_in_a_home_is_of_its_kind_and_not_the_residents(clips: tuple[Clip, ...]) -> None:
    pools = Surroundings.of(clips).pools("s0", {"one"})
    roles = {what: {it.role for it in pool} for what, pool in pools.items()}
    assert roles == {
        VISITOR: {Role.NATURAL}, LOOK_ALIKE: {Role.LOOK_ALIKE}, SCREAM: {Role.SCREAM},
        BACKGROUND: {Role.BACKGROUND},
    }  # fmt: skip


def test_others_who_live_among_the_clips_are_heard_where_their_corpus_is_the_residents(
    clips: tuple[Clip, ...],
) -> None:
    people = Surroundings.of([it for it in clips if it.role is Role.VOICE])
    assert {it.speaker for it in people.pools("s0", {"one"})[VISITOR]} == {"s2"}
    assert {it.answer for it in people.pools("s0", {"one"})[VISITOR]} == {Answer.CALM}
    assert LIVELY not in people.pools("s0", {"one"})
    happy = [replace(it, answer=Answer.OTHER) for it in clips if it.role is Role.VOICE]
    assert {it.speaker for it in Surroundings.of(happy).pools("s0", {"one"})[LIVELY]} == {"s2"}


def test_a_turn_is_of_one_person(clips: tuple[Clip, ...]) -> None:
    pools = Surroundings.of(clips).pools("s0", {"one"})
    for seed in range(20):
        turn = turn_of(VISITOR, pools, np.random.default_rng(seed))
        assert len({clip.speaker for clip in turn.clips}) == 1
        assert not turn.own


def test_the_clips_of_a_turn_follow_each_other_with_pauses(clips: tuple[Clip, ...]) -> None:
    rng, screams = np.random.default_rng(1), [it for it in clips if it.role is Role.SCREAM]
    turn = Turn(SCREAM, Answer.SCREAM, tuple(screams[:3]))
    room, tape = Room.drawn([heard(clips[0])], rng), Tape(np.zeros(20 * RATE, np.float32))
    end = play_turn(tape, room, turn, 2.0, pause=(0.5, 0.6), rng=rng)
    assert [sound.answer for sound in tape.sounds] == [Answer.SCREAM] * 3
    assert (tape.sounds[0].start, tape.sounds[-1].end) == (2.0, end)
    assert all(0.5 <= b.start - a.end <= 0.6 for a, b in zip(tape.sounds, tape.sounds[1:], strict=False))


def test_a_radio_is_behind_all_else_and_under_the_resident(clips: tuple[Clip, ...]) -> None:
    rng = np.random.default_rng(1)
    room, tape = Room.drawn([heard(clips[0])], rng), Tape(np.zeros(20 * RATE, np.float32))
    play_radio(tape, room, Surroundings.of(clips).pools("", ()), share=1.0, stretch=(5.0, 9.0), rng=rng)
    assert {(sound.what, sound.answer) for sound in tape.sounds} == {(RADIO, None)}
    assert sum(sound.end - sound.start for sound in tape.sounds) == pytest.approx(20.0, abs=0.01)
    assert -26 < 20 * np.log10(np.sqrt(np.mean(tape.wave**2))) - room.calm_db < 0


def test_the_key_changes_with_a_recording(clips: tuple[Clip, ...]) -> None:
    other = [replace(clips[0], path=clips[1].path), *clips[1:]]
    keys = {Surroundings.of(some).key for some in (clips, clips[1:], clips[:-1], other)}
    assert len(keys) == 4
    assert Surroundings.of(tuple(clips)).key in keys
