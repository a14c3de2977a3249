import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.cusum import Vote, peaks
from vser_stream.core.alarm.state import AlarmEvent, AlarmState, Transition
from vser_stream.core.alarm.state_machine import step, tick
from vser_stream.values import Decision, Label

CONFIG = AlarmConfig(
    panic=PanicConfig(distress=3.0, half_life=10, at_least=0.5, fast=0.9, hold=60, refractory=0),
    angry=AngryConfig(distress=5.5, half_life=10, at_least=0.5, hold=30, refractory=60),
).unattended
PANIC = {"panic": 0.7, "angry": 0.2, "calm": 0.1}
SURE_PANIC = {"panic": 0.95, "calm": 0.05}
ANGRY = {"angry": 0.8, "panic": 0.1, "calm": 0.1}
CALM = {"calm": 0.9, "angry": 0.06, "panic": 0.04}


def run(
    *timed: tuple[float, dict[str, float] | None], config: AlarmConfig = CONFIG
) -> list[tuple[float, AlarmEvent, Label]]:
    """Drive the alarm by utterances; None only lets time pass."""
    state, story = AlarmState(), []
    for at, probabilities in timed:
        state, over = tick(state, START + at, config=config)
        changes: tuple[Transition, ...] = ()
        if probabilities is not None:
            state, changes = step(state, decision(at=at, **probabilities), START + at, config=config)
        story += [(at, t.event, t.level) for t in (*over, *changes)]
    return story


def test_one_unsure_panic_raises_nothing_and_two_within_seconds_do() -> None:
    assert run((1, PANIC)) == []
    assert run((1, PANIC), (5, PANIC)) == [(5, AlarmEvent.RAISED, Label.PANIC)]
    assert run((1, PANIC), (12, PANIC)) == []


def test_one_sure_panic_is_enough() -> None:
    assert run((1, SURE_PANIC)) == [(1, AlarmEvent.RAISED, Label.PANIC)]


def test_a_scream_however_short_counts_as_a_second_of_it_and_a_short_word_does_not() -> None:
    def told(*, wordless: float, lasts: float) -> float:
        cry = decision(at=1.0, lasts=lasts, panic=0.97, calm=0.03, wordless=wordless)
        return peaks((Vote(START + 1, cry),), START + 1, config=CONFIG)[Label.PANIC]

    second = told(wordless=0.97, lasts=1.0)
    assert told(wordless=0.97, lasts=0.3) == pytest.approx(second)
    assert told(wordless=0.0, lasts=1.0) == second
    assert told(wordless=0.0, lasts=0.3) < told(wordless=0.5, lasts=0.3) < second
    assert told(wordless=0.97, lasts=2.0) > second


def test_as_shipped_a_voice_in_distress_for_half_a_minute_raises_though_no_word_of_it_is_sure() -> None:
    events = run(*[(at, {"panic": 0.9, "calm": 0.1}) for at in range(0, 30, 2)], config=AlarmConfig())
    assert [(event, level) for _, event, level in events] == [(AlarmEvent.RAISED, Label.PANIC)]


def test_a_calm_voice_never_raises() -> None:
    assert run(*[(t, CALM) for t in range(100)]) == []


def test_anger_must_last() -> None:
    assert run((1, ANGRY), (3, ANGRY)) == []
    assert run((1, ANGRY), (3, ANGRY), (5, ANGRY)) == [(5, AlarmEvent.RAISED, Label.ANGRY)]


def test_a_panic_counts_for_anger_too() -> None:
    events = run((1, ANGRY), (3, PANIC), (5, ANGRY))
    assert events == [(5, AlarmEvent.RAISED, Label.ANGRY)]


def test_panic_escalates_anger_under_the_same_condition() -> None:
    events = run((1, ANGRY), (3, ANGRY), (5, ANGRY), (6, SURE_PANIC))
    assert events[1:] == [(6, AlarmEvent.ESCALATED, Label.PANIC)]


def test_a_lower_level_does_not_disturb_a_higher_one() -> None:
    assert len(run((1, SURE_PANIC), *[(t, ANGRY) for t in range(2, 50)])) == 1


def test_a_condition_clears_only_after_its_hold_time_without_distress() -> None:
    events = run((1, SURE_PANIC), (50, PANIC), (109, None), (111, None), (300, None))
    assert events[1:] == [(111, AlarmEvent.CLEARED, Label.PANIC)]


def test_anger_keeps_no_panic_up() -> None:
    events = run((1, SURE_PANIC), (50, ANGRY), (62, None))
    assert events[1:] == [(62, AlarmEvent.CLEARED, Label.PANIC)]


def test_anger_is_held_back_in_its_refractory_time_and_says_so_once() -> None:
    angry_again = [(t, ANGRY) for t in (40, 41, 42, 43, 44)]
    events = run((1, ANGRY), (2, ANGRY), (3, ANGRY), (34, None), *angry_again)
    assert events[1] == (34, AlarmEvent.CLEARED, Label.ANGRY)
    assert {event for _, event, _ in events[2:]} == {AlarmEvent.SUPPRESSED}
    assert len(events) == 2 + 3  # one for each utterance after which there is enough


def test_the_refractory_time_of_anger_never_holds_back_panic() -> None:
    events = run((1, ANGRY), (2, ANGRY), (3, ANGRY), (34, None), (35, SURE_PANIC))
    assert events[-1] == (35, AlarmEvent.RAISED, Label.PANIC)


def test_a_panic_after_a_cleared_panic_is_raised_at_once() -> None:
    events = run((1, SURE_PANIC), (62, None), (62.5, SURE_PANIC))
    assert [event for _, event, _ in events] == [AlarmEvent.RAISED, AlarmEvent.CLEARED, AlarmEvent.RAISED]


def drive(*decisions: tuple[float, Decision]) -> list[Transition]:
    state = AlarmState()
    story: list[Transition] = []
    for at, judged in decisions:
        state, changes = step(state, judged, START + at, config=CONFIG)
        story += changes
    return story


def test_an_alarm_raised_by_a_window_is_amended_once_by_its_utterance() -> None:
    window = decision(at=2.0, utterance_at=1.0, **SURE_PANIC)
    confirmed = drive((2, window), (4, decision(at=2.0, **PANIC)), (9, decision(at=9.0, **PANIC)))
    assert [t.event for t in confirmed] == [AlarmEvent.RAISED, AlarmEvent.AMENDED]
    assert confirmed[1].reason == "confirmed by the whole utterance"
    corrected = drive((2, window), (4, decision(at=2.0, **CALM)))
    assert corrected[1].reason == "not confirmed by the whole utterance"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, dict[str, float] | None]]:
    kinds = st.sampled_from([PANIC, SURE_PANIC, ANGRY, CALM, None])
    pauses = draw(st.lists(st.floats(0.1, 80), max_size=40))
    at, story = 0.0, []
    for pause in pauses:
        at += pause
        story.append((at, draw(kinds)))
    return story


@settings(max_examples=300)
@given(histories())
def test_whatever_came_before_a_sure_panic_leaves_a_panic_condition(
    history: list[tuple[float, dict[str, float] | None]],
) -> None:
    end = history[-1][0] + 0.5 if history else 0.5
    events = [(e, level) for _, e, level in run(*history, (end, SURE_PANIC)) if e is not AlarmEvent.AMENDED]
    assert events[-1] in {(AlarmEvent.RAISED, Label.PANIC), (AlarmEvent.ESCALATED, Label.PANIC)}


@given(histories())
def test_every_cleared_condition_was_raised_before(
    history: list[tuple[float, dict[str, float] | None]],
) -> None:
    current = Label.CALM
    for _, event, level in run(*history):
        if event is AlarmEvent.RAISED:
            assert current is Label.CALM
            current = level
        elif event is AlarmEvent.ESCALATED:
            assert (current, level) == (Label.ANGRY, Label.PANIC)
            current = level
        elif event is AlarmEvent.CLEARED:
            assert level is current
            current = Label.CALM


def test_the_windows_of_one_utterance_count_once() -> None:
    windows = [(at, decision(at=at, utterance_at=1.0, **PANIC)) for at in (2.0, 2.5, 3.0)]
    assert drive(*windows) == []
    later = decision(at=6.0, **PANIC)
    assert [t.event for t in drive(*windows, (6.0, later))] == [AlarmEvent.RAISED]


def test_a_longer_utterance_counts_more_and_not_by_its_length() -> None:
    short = [(at, decision(at=at, utterance_at=1.0, **PANIC)) for at in (2.0, 3.2)]
    assert drive(*short) == []
    assert [t.event for t in drive(*short, (3.6, decision(at=3.6, utterance_at=1.0, **PANIC)))] == [
        AlarmEvent.RAISED
    ]


def test_a_voice_torn_between_panic_and_anger_counts_for_panic_in_part() -> None:
    torn = {"panic": 0.5, "angry": 0.48, "calm": 0.02}
    assert run((1, torn)) == []
    assert run((1, torn), (2, torn)) == [(2, AlarmEvent.RAISED, Label.PANIC)]


def test_anger_is_no_panic_however_long_it_lasts() -> None:
    angry = {"panic": 0.3, "angry": 0.68, "calm": 0.02}
    assert [level for _, _, level in run(*[(at, angry) for at in range(60)])] == [Label.ANGRY]


def test_anger_that_turns_to_panic_escalates_at_the_first_utterance_of_panic() -> None:
    angry = [(at, {"panic": 0.05, "angry": 0.93, "calm": 0.02}) for at in range(20)]
    events = run(*angry, (20, {"panic": 0.85, "angry": 0.13, "calm": 0.02}))
    assert events[-1] == (20, AlarmEvent.ESCALATED, Label.PANIC)


def test_calm_speech_takes_away_what_was_heard() -> None:
    config = AlarmConfig(
        panic=PanicConfig(distress=5.0, at_least=0.88, fast=1.0), angry=AngryConfig(distress=9.0)
    )
    state = AlarmState()
    for at, belief in enumerate([0.985, 0.015, 0.015, 0.985, 0.985]):
        heard = decision(at=at, panic=belief, calm=1 - belief)
        state, told = step(state, heard, START + at, config=config)
        assert told == ()


PATIENT = AlarmConfig(
    panic=PanicConfig(distress=5.6, at_least=0.82, fast=0.99), angry=AngryConfig(distress=5.6, at_least=0.82)
)
"""Some utterances at p = 0.98 are enough, and never one."""


def panics(*beliefs: float) -> list[int]:
    """When panic is raised by utterances a second apart, with these beliefs in panic and all else calm."""
    state, raised = AlarmState(), []
    for at, belief in enumerate(beliefs):
        heard = decision(at=at, panic=belief, calm=1 - belief)
        state, told = step(state, heard, START + at, config=PATIENT)
        raised += [at for one in told if one.level is Label.PANIC]
    return raised


def test_an_unsure_panic_that_goes_on_is_raised() -> None:
    assert panics(*[0.9] * 20) == [9]


def test_panic_is_raised_as_soon_however_long_it_was_calm() -> None:
    assert panics(0.98, 0.98, 0.98) == [2]
    assert panics(*[0.0] * 60, 0.98, 0.98, 0.98) == [62]


def test_a_calm_voice_that_answers_at_length_hides_no_panic() -> None:
    state, levels = AlarmState(), []
    for turn in range(6):  # a cry of 2 s, answered for 8 s
        for at, probabilities in ((2, {"panic": 0.985, "calm": 0.015}), (10, {"calm": 0.99, "angry": 0.01})):
            length = 2.0 if at == 2 else 8.0
            heard = decision(at=turn * 10 + at, lasts=length, **probabilities)
            state, told = step(state, heard, START + turn * 10 + at, config=PATIENT)
            levels += [one.level for one in told]
    assert Label.PANIC in levels


def test_what_was_heard_for_long_is_forgotten_in_a_minute() -> None:
    story = [(at, {"panic": 0.997, "calm": 0.003}) for at in range(0, 300, 2)]
    assert run(*story, (365, None), (366, {"panic": 0.83, "calm": 0.17}), config=PATIENT.unattended) == [
        (0, AlarmEvent.RAISED, Label.PANIC),
        (365, AlarmEvent.CLEARED, Label.PANIC),
    ]


def test_one_calm_word_does_not_undo_a_panic() -> None:
    assert panics(0.98, 0.98, 0.0, 0.98, 0.98) == [4]
