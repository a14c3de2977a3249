import itertools
from dataclasses import replace

from support.decisions import START, decision

from vser_stream.core.alarm.state import Acknowledgement, Alarm, AlarmEvent, AlarmState, Transition
from vser_stream.core.wire.documents import Versions
from vser_stream.core.wire.numbering import Reporter
from vser_stream.values import Label

PANIC = decision(panic=0.95, angry=0.03, calm=0.02, at=3.0)

OPEN = Alarm(Label.PANIC, present=True, decision=PANIC, supported_at=START, signalled_at=START)


def reporter() -> Reporter:
    numbers = itertools.count(1)
    versions = Versions(package="1", model="m")
    return Reporter(
        site="home", source="bed", versions=lambda: versions, new_id=lambda: f"id-{next(numbers)}"
    )


def change(event: AlarmEvent, level: Label = Label.PANIC) -> Transition:
    return Transition(event, level, PANIC, "because")


def test_all_transitions_of_one_condition_share_its_alert_id_and_none_shares_an_id() -> None:
    desk = reporter()
    story = [AlarmEvent.RAISED, AlarmEvent.AMENDED, AlarmEvent.CLEARED, AlarmEvent.RAISED, AlarmEvent.CLEARED]
    alerts = [desk.alert(change(event), published_at=START + 3) for event in story]
    first, second = alerts[:3], alerts[3:]
    assert len({alert.alert_id for alert in first}) == len({alert.alert_id for alert in second}) == 1
    assert first[0].alert_id != second[0].alert_id
    assert len({alert.id for alert in alerts}) == 5
    assert [alert.seq for alert in alerts] == [1, 2, 3, 4, 5]


def test_a_suppressed_alarm_does_not_take_the_place_of_the_open_one() -> None:
    desk = reporter()
    raised = desk.alert(change(AlarmEvent.RAISED), published_at=START)
    desk.alert(change(AlarmEvent.SUPPRESSED, Label.ANGRY), published_at=START)
    assert desk.alert(change(AlarmEvent.CLEARED), published_at=START).alert_id == raised.alert_id


def test_the_state_names_the_open_condition_and_nothing_once_it_is_over() -> None:
    desk = reporter()
    raised = desk.alert(change(AlarmEvent.RAISED), published_at=START)
    state = desk.state(AlarmState(alarm=OPEN), label=Label.PANIC, updated_at=START + 1)
    assert (state.condition, state.signal, state.alert_id, state.seq) == (
        Label.PANIC,
        "on",
        raised.alert_id,
        1,
    )
    over = desk.state(AlarmState(), label=Label.CALM, updated_at=START + 2)
    assert (over.condition, over.signal, over.alert_id, over.since) == (Label.CALM, "off", None, None)


def refusals(desk: Reporter, alarm: AlarmState, alert_id: str) -> dict[int | None, str | None]:
    """What somebody hears who has seen so much."""
    return {seq: desk.unseen(alarm, alert_id=alert_id, seq=seq) for seq in (None, 1, 2, 3, 9)}


def test_nobody_acknowledges_more_than_they_have_seen() -> None:
    desk = reporter()
    now = AlarmState(alarm=OPEN)
    first = desk.alert(change(AlarmEvent.RAISED, Label.ANGRY), published_at=START)
    desk.alert(change(AlarmEvent.UNACKNOWLEDGED, Label.ANGRY), published_at=START)
    desk.alert(change(AlarmEvent.AMENDED, Label.ANGRY), published_at=START)
    ahead = "bed has no alert with seq 9, the latest is 3; see its state"
    assert refusals(desk, now, first.alert_id) == {None: None, 1: None, 2: None, 3: None, 9: ahead}
    for event in (AlarmEvent.ESCALATED, AlarmEvent.RERAISED):
        seq = desk.alert(change(event), published_at=START).seq
        words = f"alarm {first.alert_id} has escalated since: it is panic now, seq {seq}"
        heard = refusals(desk, now, first.alert_id)
        assert heard[3] == f"{words}; check again, then acknowledge it"
        assert heard[None] is None
        assert desk.unseen(now, alert_id=first.alert_id, seq=seq) is None


def test_an_alarm_that_is_over_acknowledged_or_another_one_is_not_acknowledged() -> None:
    desk = reporter()
    first = desk.alert(change(AlarmEvent.RAISED), published_at=START).alert_id
    taken = replace(OPEN, acknowledged=Acknowledgement("Ana", START + 300))
    none = f"no alarm {first} of bed is unacknowledged; see its state"
    assert desk.unseen(AlarmState(alarm=taken), alert_id=first, seq=None) == none
    assert desk.unseen(AlarmState(), alert_id=first, seq=1) == none
    desk.alert(change(AlarmEvent.RAISED), published_at=START)
    assert desk.unseen(AlarmState(alarm=OPEN), alert_id=first, seq=2) == none
