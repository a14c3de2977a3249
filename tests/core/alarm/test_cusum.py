"""The arithmetic of distress: each figure is worked out here by hand, or against the formula written anew."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.decisions import START, decision

from vser_stream.config.schema import AlarmConfig, AngryConfig, PanicConfig
from vser_stream.core.alarm.cusum import (
    URGENT_FIRST,
    Call,
    Vote,
    called_for,
    peaks,
    rank,
    rules_of,
    silent,
    sustains,
    with_vote,
)
from vser_stream.values import Label

CONFIG = AlarmConfig(
    panic=PanicConfig(distress=3.0, half_life=10.0, at_least=0.5, fast=1.0, hysteresis=0.1),
    angry=AngryConfig(distress=4.0, half_life=20.0, at_least=0.6, fast=1.0, hysteresis=0.2),
)
PANIC, ANGRY = CONFIG.panic, CONFIG.angry


def log_odds(share: float) -> float:
    return math.log(share / (1.0 - share))


def vote(
    at: float, *, panic: float = 0.0, angry: float = 0.0, lasts: float = 1.0, wordless: float = 0.0
) -> Vote:
    """An utterance that ends ``at`` seconds after START; all that is not distress is calm."""
    calm = 1.0 - panic - angry
    said = decision(at=at, lasts=lasts, calm=calm, panic=panic, angry=angry, wordless=wordless)
    return Vote(START + at, said)


def heard(*votes: Vote, config: AlarmConfig = CONFIG, now: float = 0.0) -> dict[Label, float]:
    return peaks(votes, START + now, config=config)


def calls(
    *votes: Vote, config: AlarmConfig = CONFIG, factors: dict[Label, float] | None = None
) -> list[Call]:
    latest = votes[-1]
    return list(called_for(votes, latest.decision, latest.at, config=config, factors=factors or {}))


def test_a_second_of_distress_is_worth_its_log_odds_over_those_asked_for() -> None:
    found = heard(vote(1, panic=0.9))
    assert found[Label.PANIC] == pytest.approx(log_odds(0.9))
    assert found[Label.ANGRY] == pytest.approx(log_odds(0.9) - log_odds(0.6))


@pytest.mark.parametrize("lasts", [0.25, 1.0, 4.0, 9.0])
def test_it_grows_with_the_square_root_of_the_length(lasts: float) -> None:
    found = heard(vote(10, panic=0.8, lasts=lasts))
    assert found[Label.PANIC] == pytest.approx(log_odds(0.8) * math.sqrt(lasts))


def test_distress_without_words_is_as_long_as_a_second_times_its_share() -> None:
    scream = heard(vote(10, panic=0.8, lasts=0.09, wordless=0.8))
    half = heard(vote(10, panic=0.8, lasts=0.09, wordless=0.4))
    assert scream[Label.PANIC] == pytest.approx(log_odds(0.8))
    assert half[Label.PANIC] == pytest.approx(log_odds(0.8) * math.sqrt(0.5))


def test_of_what_is_not_calm_only_the_share_of_the_level_counts_by_its_square_root() -> None:
    torn = heard(vote(1, panic=0.64, angry=0.16))
    assert torn[Label.PANIC] == pytest.approx(log_odds(0.8) * math.sqrt(0.64 / 0.8))
    assert torn[Label.ANGRY] == pytest.approx(log_odds(0.8) - log_odds(0.6)), "panic is anger too"


def test_it_fades_by_half_in_its_half_life() -> None:
    alone = log_odds(0.8)
    both = heard(vote(1, panic=0.8), vote(11, panic=0.8))
    assert both[Label.PANIC] == pytest.approx(alone * 0.5 + alone)
    later = heard(vote(1, panic=0.8), vote(31, panic=0.8))
    assert later[Label.PANIC] == pytest.approx(alone / 8 + alone)


def test_an_utterance_judged_out_of_order_fades_nothing() -> None:
    alone = log_odds(0.8)
    assert heard(vote(11, panic=0.8), vote(1, panic=0.8))[Label.PANIC] == pytest.approx(2 * alone)


def test_a_calm_utterance_takes_away_what_it_is_under_the_threshold_and_no_more_than_a_second_of_it() -> None:
    config = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"at_least": 0.6, "distress": 9.0})})
    cry = log_odds(0.99) - log_odds(0.6)
    # Surely calm is as good as p = 0.5: what takes away is the threshold alone.
    for lasts in (1.0, 25.0):
        votes = (vote(0, panic=0.99), vote(0, panic=0.1, lasts=lasts), vote(0, panic=0.99))
        assert heard(*votes, config=config)[Label.PANIC] == pytest.approx(2 * cry - log_odds(0.6))
    short = (vote(0, panic=0.99), vote(0, panic=0.1, lasts=0.25), vote(0, panic=0.99))
    assert heard(*short, config=config)[Label.PANIC] == pytest.approx(2 * cry - 0.5 * log_odds(0.6))


def test_it_never_falls_below_nothing_and_begins_anew_from_there() -> None:
    calm = [vote(at, panic=0.01) for at in range(50)]
    config = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"at_least": 0.7})})
    fresh = heard(vote(50, panic=0.9), config=config)
    assert heard(*calm, vote(50, panic=0.9), config=config) == pytest.approx(fresh)


def test_it_adds_up_to_twice_what_is_enough() -> None:
    cries = [vote(at / 10, panic=0.99) for at in range(40)]
    assert heard(*cries)[Label.PANIC] == pytest.approx(2.0 * PANIC.distress)
    assert heard(*cries)[Label.ANGRY] == pytest.approx(2.0 * ANGRY.distress)


def test_no_probability_counts_for_more_than_log_odds_of_six() -> None:
    patient = PANIC.model_copy(update={"distress": 100.0})
    config = CONFIG.model_copy(update={"panic": patient})
    assert heard(vote(1, panic=1.0), config=config)[Label.PANIC] == 6.0
    assert heard(vote(1, panic=0.9999), config=config)[Label.PANIC] == 6.0
    assert heard(vote(1, panic=0.99), config=config)[Label.PANIC] == pytest.approx(log_odds(0.99))


def test_only_votes_for_the_level_have_a_peak_and_anger_is_none_for_panic() -> None:
    assert heard(vote(1, panic=0.1)) == {}
    assert set(heard(vote(1, angry=0.9))) == {Label.ANGRY}
    assert set(heard(vote(1, panic=0.55))) == {Label.PANIC}, "not sure enough of distress to be anger"
    assert set(heard(vote(1, panic=0.7))) == {Label.PANIC, Label.ANGRY}


def test_what_is_just_sure_enough_is_a_vote_and_what_is_just_under_it_is_none() -> None:
    config = CONFIG.model_copy(update={"angry": ANGRY.model_copy(update={"at_least": 0.75})})
    assert Label.ANGRY in heard(vote(1, angry=0.75), config=config)
    assert Label.ANGRY not in heard(vote(1, angry=0.7499), config=config)


def test_the_peak_is_of_votes_from_now_on_with_what_came_before_in_it() -> None:
    votes = (vote(1, panic=0.95), vote(2, panic=0.95), vote(21, panic=0.6))
    last = heard(*votes, now=3)[Label.PANIC]
    assert last < heard(*votes, now=1)[Label.PANIC]
    assert last > heard(votes[-1], now=3)[Label.PANIC]
    assert heard(*votes, now=21)[Label.PANIC] == last, "a vote of that very moment is one from then on"
    assert heard(*votes, now=21.5) == {}


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.01, 0.99), st.floats(0.1, 9.0)), min_size=1))
def test_it_is_a_leaky_sum_whatever_is_said(said: list[tuple[float, float, float]]) -> None:
    """Page's sum with a leak, written out once more."""
    at, total, highest, votes = 0.0, 0.0, 0.0, list[Vote]()
    for pause, belief, lasts in said:
        at += pause
        one = vote(at, panic=belief, lasts=lasts)
        segment = one.decision.segment
        seconds = (segment.end - segment.onset) / 16_000
        votes.append(one)
        over = max(0.0, log_odds(belief))
        total = min(6.0, total * 0.5 ** (pause / 10.0) + math.sqrt(seconds) * over)
        if one.decision.label is Label.PANIC and 1.0 - one.decision.probabilities.calm >= 0.5:
            highest = max(highest, total)
    assert heard(*votes).get(Label.PANIC, 0.0) == pytest.approx(highest, abs=1e-6)


def test_enough_distress_calls_for_a_level_with_the_figures_in_the_reason() -> None:
    first, second = vote(1, panic=0.9), vote(4, panic=0.9, lasts=2.0)
    (call, *_) = calls(first, second)
    assert call.level is Label.PANIC
    assert call.decision.segment.heard_at == second.decision.segment.heard_at
    total = log_odds(0.9) * (0.5**0.3 + math.sqrt(2.0))
    assert total > 3.0
    assert call.reason == f"distress {total:.1f} (alarm from 3), 2 utterances in 4 s"


def test_one_utterance_that_is_enough_is_told_as_one() -> None:
    (call, *_) = calls(vote(5, panic=0.96))
    assert call.reason == f"distress {log_odds(0.96):.1f} (alarm from 3), 1 utterance in 1 s"


def test_less_than_enough_calls_for_nothing() -> None:
    assert calls(vote(1, panic=0.95)) == []
    assert log_odds(0.95) < 3.0 < log_odds(0.953)
    assert [call.level for call in calls(vote(1, panic=0.953))] == [Label.PANIC]


def test_what_began_anew_counts_from_there() -> None:
    config = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"at_least": 0.9})})
    calm = [vote(at, panic=0.01) for at in range(20)]
    loud = [vote(at, panic=0.99) for at in (100, 101)]
    (call, *_) = calls(*calm, *loud, config=config)
    assert call.reason.endswith("2 utterances in 2 s")


def test_one_utterance_over_the_probability_threshold_is_enough_of_its_own_level() -> None:
    config = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"fast": 0.9, "distress": 50.0})})
    assert calls(vote(1, panic=0.89), config=config) == []
    (call,) = calls(vote(1, panic=0.9), config=config)
    assert (call.level, call.reason[-6:]) == (Label.PANIC, "p 0.90")
    angry = CONFIG.model_copy(
        update={
            "angry": ANGRY.model_copy(update={"fast": 0.9, "distress": 50.0}),
            "panic": PANIC.model_copy(update={"distress": 50.0}),
        }
    )
    (call,) = calls(vote(1, angry=0.75, panic=0.25), config=angry)
    assert (call.level, call.reason[-6:]) == (Label.ANGRY, "p 1.00"), "a higher level counts for it"
    assert calls(vote(1, panic=0.95), config=angry) == [], "and is not called by its name"


def test_levels_are_called_for_the_most_urgent_first() -> None:
    cries = [vote(at / 10, panic=0.99) for at in range(20)]
    assert [call.level for call in calls(*cries)] == [Label.PANIC, Label.ANGRY] == list(URGENT_FIRST)


def test_of_votes_that_are_enough_the_most_urgent_stands_for_them_and_the_latest_of_alike() -> None:
    """A second verdict on an early utterance raises what later ones had been a little short of."""
    early, panicked, angry = vote(1, angry=0.97), vote(2, panic=0.6, angry=0.39), vote(3, angry=0.97)
    votes = (early, panicked, angry)
    found = {
        call.level: call for call in called_for(votes, early.decision, early.at, config=CONFIG, factors={})
    }
    assert found[Label.ANGRY].decision.label is Label.PANIC
    alike = (vote(1, angry=0.97), vote(2, angry=0.97), vote(3, angry=0.97))
    (call,) = called_for(alike, alike[0].decision, alike[0].at, config=CONFIG, factors={})
    assert call.decision.segment.heard_at == alike[2].decision.segment.heard_at


def test_a_room_multiplies_what_is_asked_for_and_the_reason_says_so() -> None:
    cry = vote(1, panic=0.94)
    assert 2.7 < log_odds(0.94) < 3.0
    assert calls(cry) == []
    (call,) = calls(cry, factors={Label.PANIC: 0.9})
    assert "(alarm from 2.7)" in call.reason
    loud = [vote(1, panic=0.9), vote(2, panic=0.9)]
    assert Label.PANIC not in {call.level for call in calls(*loud, factors={Label.PANIC: 1.5})}
    assert Label.PANIC in {call.level for call in calls(*loud)}


def test_no_room_asks_for_more_of_what_is_surely_panic_and_one_may_ask_for_less() -> None:
    sure, unsure = vote(1, panic=0.955), vote(1, panic=0.949)
    assert [call.level for call in calls(sure, factors={Label.PANIC: 1.5})] == [Label.PANIC]
    config = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"distress": 2.5})})
    assert calls(unsure, config=config, factors={Label.PANIC: 1.5}) == []
    at_it = vote(1, panic=0.95)
    (call, *_) = calls(at_it, config=config, factors={Label.PANIC: 1.5})
    assert "(alarm from 2.5)" in call.reason
    (call, *_) = calls(at_it, config=config, factors={Label.PANIC: 0.8})
    assert "(alarm from 2)" in call.reason


def test_less_is_asked_for_to_keep_a_level_up_and_never_another_level() -> None:
    def kept(level: Label, **shares: float) -> bool:
        return sustains(vote(1, **shares).decision, level, config=CONFIG)

    assert not kept(Label.ANGRY, angry=0.39, panic=0.0)
    assert kept(Label.ANGRY, angry=0.51)
    torn = decision(calm=0.37, angry=0.32, panic=0.31)  # 0.63 not calm, and calm on top
    assert torn.label is Label.CALM
    assert not sustains(torn, Label.ANGRY, config=CONFIG)
    assert kept(Label.ANGRY, panic=0.6)
    assert not kept(Label.PANIC, angry=0.9)
    strict = CONFIG.model_copy(update={"panic": PANIC.model_copy(update={"at_least": 0.9})})
    assert not sustains(vote(1, panic=0.79).decision, Label.PANIC, config=strict)
    assert sustains(vote(1, panic=0.81).decision, Label.PANIC, config=strict)
    assert heard(vote(1, panic=0.81), config=strict).keys() == {Label.ANGRY}


def test_an_utterance_has_one_vote_and_its_latest_one() -> None:
    window = Vote(START + 2, decision(at=2.0, utterance_at=1.0, panic=0.7, calm=0.3))
    whole = Vote(START + 3, decision(at=2.0, panic=0.1, calm=0.9))
    other = vote(9, angry=0.9)
    assert window.utterance == whole.utterance == START + 1
    votes = with_vote(with_vote(with_vote((), window), other), whole)
    assert [one.at for one in votes] == [START + 9, START + 3]
    assert votes[1].decision.label is Label.CALM


def test_votes_hold_no_audio_and_only_the_latest_64() -> None:
    votes: tuple[Vote, ...] = ()
    for at in range(70):
        votes = with_vote(votes, vote(at, panic=0.7))
    assert [one.at - START for one in votes] == list(range(6, 70))
    assert all(len(one.decision.segment.pcm) == 0 for one in votes)


def test_a_silent_decision_is_the_same_but_for_its_audio() -> None:
    said = decision(at=3.0, panic=0.7, calm=0.3)
    quiet = silent(said)
    assert len(said.segment.pcm) > 0 == len(quiet.segment.pcm)
    back = replace(quiet, segment=said.segment)
    assert [getattr(back, one.name) for one in fields(said)] == [
        getattr(said, one.name) for one in fields(said)
    ]
    assert (quiet.segment.onset, quiet.segment.end) == (said.segment.onset, said.segment.end)


def test_a_level_has_its_own_rules_and_its_rank() -> None:
    assert rules_of(Label.PANIC, CONFIG) is PANIC
    assert rules_of(Label.ANGRY, CONFIG) is ANGRY
    assert [rank(label) for label in (Label.CALM, Label.ANGRY, Label.PANIC)] == [0, 1, 2]


def test_a_torn_voice_counts_in_part_however_little_it_is_over_the_threshold() -> None:
    torn = vote(1, panic=0.4, angry=0.15)
    assert torn.decision.label is Label.CALM, "of three, calm is the likeliest"
    barely = Vote(START + 1, decision(at=1.0, calm=0.4, panic=0.42, angry=0.18))
    found = heard(barely)[Label.PANIC]
    assert found == pytest.approx(log_odds(0.6) * math.sqrt(0.42 / 0.6))


def test_what_is_asked_for_is_told_to_a_tenth() -> None:
    (call, *_) = calls(vote(1, panic=0.94), factors={Label.PANIC: 0.75})
    assert "(alarm from 2.2)" in call.reason
