import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vser_stream.core.audio.capture_state import (
    CaptureEvent,
    CaptureState,
    CaptureTransition,
    Patience,
    advance,
)

S, E = CaptureState, CaptureEvent


def walk(*events: CaptureEvent, start: CaptureState = S.IDLE) -> list[CaptureState]:
    states = [start]
    for event in events:
        change = advance(states[-1], event, at=0.0)
        states.append(change.after if change else states[-1])
    return states


def test_a_change_tells_what_led_to_it_and_why() -> None:
    assert advance(S.RUNNING, E.LOST, at=5.0, reason="gone") == CaptureTransition(
        S.RUNNING, E.LOST, S.BACKOFF, 5.0, "gone"
    )


def test_a_source_is_running_only_once_samples_flow() -> None:
    assert walk(E.OPENED, E.STALE, E.HEARD, E.STALE) == [S.IDLE, S.OPENING, S.STALLED, S.RUNNING, S.STALLED]
    leads_to_running = [
        (state, event)
        for state, event in itertools.product(S, E)
        if (change := advance(state, event, at=0.0)) and change.after is S.RUNNING
    ]
    assert leads_to_running == [(S.OPENING, E.HEARD), (S.STALLED, E.HEARD)]


@pytest.mark.parametrize(("event", "state"), [(E.LOST, S.BACKOFF), (E.REFUSED, S.FAILED)])
def test_every_kind_of_loss_is_tried_again(event: CaptureEvent, state: CaptureState) -> None:
    for reading in (S.OPENING, S.RUNNING, S.STALLED):
        assert walk(event, E.OPENED, start=reading) == [reading, state, S.OPENING]


@given(st.lists(st.sampled_from(E), max_size=30))
def test_after_a_stop_nothing_but_an_opening_changes_anything(events: list[CaptureEvent]) -> None:
    state = walk(*events, E.STOPPED)[-1]
    assert state in {S.IDLE, S.ENDED}
    for event in set(E) - {E.OPENED}:
        assert advance(state, event, at=0.0) is None


def test_pauses_double_to_a_minute_and_jitter_only_shortens_them() -> None:
    patience = Patience()
    assert [patience.wait(n, 0.0) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [patience.wait(n, 1.0) for n in (1, 2, 10_000)] == [0.5, 1, 30]


def test_a_source_has_five_seconds_more_before_its_first_sample() -> None:
    assert [Patience().silence_allowed(heard=heard) for heard in (False, True)] == [15.0, 10.0]
