"""From decisions to alarm transitions, for one source, in IEC 60601-1-8 terms.

A condition is *raised* when enough distress was heard lately, or when one decision is sure enough,
*escalated* to a higher level at any time, *amended* when the utterance behind it is judged again,
and over after a time without distress. A latching one then stays signalled (*latched*) until somebody
acknowledges it; any other is *cleared*. An acknowledgement ends the signal for a while: a condition
that is still present then is *reraised*, as is a latched one that comes back. What nobody
acknowledges is told again, step by step (*unacknowledged*, then *reminder*).

Whatever is held back is told once for each utterance (*suppressed*), with the reason. Nothing but
ALARM OFF (``enabled = false``) holds back panic.

The level and the decision told with it agree: what begins an alarm and sounds of panic begins a panic,
and what is told later of an alarm rests on the last decision that was of its level. With panic OFF only,
a panicking voice may raise anger.

The state is a value and every step a function: ``(state, ..., now) -> state, transitions``.
"""

from __future__ import annotations

from dataclasses import replace

from vser_stream.config.schema import AlarmConfig
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
from vser_stream.core.alarm.room_adaptation import lived, noted
from vser_stream.core.alarm.state import Acknowledgement, Alarm, AlarmEvent, AlarmState, Pause, Transition
from vser_stream.values import Decision, Label, SegmentKind

__all__ = ["STEPPED", "Step", "acknowledge", "amend", "clock_set", "live", "pause", "resume", "step", "tick"]

# Theory of operation
#
#   none --- raised: distress, or one sure utterance ------------> present
#   present --- escalated: angry becomes panic -------------------> present
#   present --- over for `hold` s, angry or acknowledged: cleared -> none
#   present --- over for `hold` s, panic: latched ----------------> latched
#   present --- acknowledged (5 min), then reraised --------------> present
#   latched --- acknowledged, and so cleared ---------------------> none
#   latched --- back: reraised -----------------------------------> present
#
# AlarmState is one frozen value; each public function takes it and returns the next one with the
# transitions that follow (`Step`). Nothing here knows a clock: `now` is given, and `tick` is called at even
# times for what only time changes: the end of a pause or an acknowledgement, a reminder, a condition that
# is over.
#
# Order matters in three places:
# 1. `step` first updates the CUSUM (cusum.py), then asks which level is called for, then compares it with
#    the open alarm. A higher level breaks through whatever holds a lower one back.
# 2. Suppression is decided last and never for panic, but by ALARM OFF. It is published once an utterance,
#    so that a silent monitor can always say why it is silent.
# 3. `amend` may replace the decision an alarm rests on, and raise or escalate; it never clears. A second
#    opinion that comes late must not silence what others have already acted on.
#
# What is published of an alarm agrees with itself: its level and the decision beside it are of the same
# utterance.

STEPPED = 15.0
"""A clock that goes farther than this was set; less is the way second verdicts and commands interleave
with audio that waits in the inbox (s)."""

_DAY = 86_400.0
"""(s)"""

_ENDING = 0.8
"""Share of a pause after which its end is announced."""


Step = tuple[AlarmState, tuple[Transition, ...]]


def step(state: AlarmState, decision: Decision, now: float, *, config: AlarmConfig) -> Step:
    """Take a decision made at wall time ``now`` (s)."""
    state = _at(state, now)
    state = replace(state, votes=with_vote(state.votes, Vote(now, decision)))
    state = _noted(state, now, config)
    state, raised = _raise(state, decision, now, voted_at=now, config=config)
    state, amended = _close_window(state, decision)
    alarm = state.alarm
    if alarm and alarm.present and sustains(decision, alarm.level, config=config):
        state = replace(state, alarm=replace(_resting_on(decision, alarm), supported_at=now))
    return state, (*raised, *amended)


def amend(state: AlarmState, decision: Decision, now: float, *, config: AlarmConfig) -> Step:
    """Take a second verdict on an utterance already judged; it may raise an alarm and never ends one."""
    state = _at(state, now)
    first = next((vote for vote in state.votes if vote.utterance == decision.segment.heard_at), None)
    if first is None:
        return state, ()
    votes = tuple(replace(vote, decision=silent(decision)) if vote is first else vote for vote in state.votes)
    state = replace(state, votes=votes)
    # It is about the time the voice was heard, not about the time the verdict took.
    state = _noted(state, first.at, config)
    state, raised = _raise(state, decision, now, voted_at=first.at, config=config)
    alarm = state.alarm
    if raised or not alarm or first.utterance not in {alarm.raised_in, alarm.decision.segment.heard_at}:
        return state, raised
    reason = f"{_verdict(decision, alarm)} by the reasoner"
    second = Transition(AlarmEvent.AMENDED, alarm.level, decision, reason, heard=True)
    return replace(state, alarm=_resting_on(decision, alarm)), (second,)


def tick(state: AlarmState, now: float, *, config: AlarmConfig, heard: bool = True) -> Step:
    """Let time pass.

    Args:
        state: As it was.
        now: Wall time (s).
        config: When levels begin and end.
        heard: False while there is no audio: then silence is no sign that a condition is over.
    """
    if state.alarm is None and state.pause is None:
        return state, ()
    state = _end_pause(_at(state, now), now)
    alarm = state.alarm
    if alarm is None:
        return state, ()
    if alarm.present and not heard:
        alarm = replace(alarm, supported_at=max(alarm.supported_at, now))
        state = replace(state, alarm=alarm)
    if alarm.present and now - alarm.supported_at >= rules_of(alarm.level, config).hold:
        return _over(state, alarm, now, config)
    if alarm.acknowledged and now >= alarm.acknowledged.until:
        return _signal_again(
            state, alarm, alarm.decision, now, reason="still present after its acknowledgement"
        )
    return _remind(state, alarm, now, config)


def live(state: AlarmState, seconds: float) -> AlarmState:
    """So much more was heard of the room (s), which learns from it what it is like by itself."""
    if state.pause:
        return state
    return replace(state, room=lived(state.room, seconds / _DAY, present=state.level is not Label.CALM))


def acknowledge(state: AlarmState, now: float, *, by: str, config: AlarmConfig) -> Step:
    """Somebody takes care of the open alarm; nothing happens where none waits for it."""
    state = _at(state, now)
    alarm = state.alarm
    if alarm is None or alarm.acknowledged:
        return state, ()
    if not alarm.present:
        seen = Transition(AlarmEvent.ACKNOWLEDGED, alarm.level, alarm.decision, f"by {by}", by=by)
        state, cleared = _clear(state, alarm, now, reason=f"over, and acknowledged by {by}")
        return state, (seen, *cleared)
    taken = Acknowledgement(by, now + config.acknowledge_for)
    seen = Transition(
        AlarmEvent.ACKNOWLEDGED, alarm.level, alarm.decision, f"by {by}", by=by, until=taken.until
    )
    return replace(state, alarm=replace(alarm, acknowledged=taken)), (seen,)


def pause(state: AlarmState, now: float, *, for_s: float, by: str, config: AlarmConfig) -> AlarmState:
    """Raise nothing below panic for a while, at most the longest pause; a later pause replaces it."""
    until = now + min(for_s, config.longest_pause)
    return replace(_at(state, now), pause=Pause(by, since=now, until=until))


def resume(state: AlarmState, now: float) -> AlarmState:
    """End a pause."""
    return replace(_at(state, now), pause=None)


def _noted(state: AlarmState, voted_at: float, config: AlarmConfig) -> AlarmState:
    """The room after a voice; a pause is for what is not of every day."""
    if state.pause or not state.room.basis:  # peaks cost some work
        return state
    return replace(state, room=noted(state.room, peaks(state.votes, voted_at, config=config)))


def _raise(
    state: AlarmState, decision: Decision, now: float, *, voted_at: float, config: AlarmConfig
) -> Step:
    told: list[Transition] = []
    for call in called_for(state.votes, decision, voted_at, config=config, factors=state.room.factors):
        level = _level(state, call, config)
        if held := _held_back(state, level, now, config):
            state, why = _suppress(state, level, call.decision, reason=f"{call.reason}; held back, {held}")
            told += why
            continue
        state, raised = _begin(state, level, call.decision, now, reason=call.reason)
        return state, (*told, *raised)
    return state, tuple(told)


def _level(state: AlarmState, call: Call, config: AlarmConfig) -> Label:
    """What the decision sounds of, where it begins an alarm: a present one escalates by its own distress.

    Distress for anger is enough a little before distress for panic is, and nobody is to read "angry"
    above p(panic) = 0.98.
    """
    begins = state.alarm is None or not state.alarm.present
    return call.decision.label if begins and rules_of(call.decision.label, config).enabled else call.level


def _resting_on(decision: Decision, alarm: Alarm) -> Alarm:
    """The alarm with the latest decision that was of its level."""
    return replace(alarm, decision=silent(decision)) if decision.label is alarm.level else alarm


def _held_back(state: AlarmState, level: Label, now: float, config: AlarmConfig) -> str:
    """Why a level that is called for may not be raised; empty if it may."""
    alarm = state.alarm
    if not rules_of(level, config).enabled:
        return f"ALARM OFF: alarm.{level}.enabled = false"
    if alarm and not alarm.present and rank(alarm.level) > rank(level):
        return f"{alarm.level} remains signalled until acknowledged"
    if alarm or level is Label.PANIC:
        return ""
    if state.pause:
        return f"paused by {state.pause.by} for another {state.pause.until - now:.0f} s"
    return _refractory(state, level, now, config)


def _refractory(state: AlarmState, level: Label, now: float, config: AlarmConfig) -> str:
    over = state.cleared_at.get(level)
    left = 0.0 if over is None else over + rules_of(level, config).refractory - now
    if left <= 0:
        return ""
    return f"the last {level} alarm was cleared less than its refractory time ago ({left:.0f} s left)"


def _begin(state: AlarmState, level: Label, decision: Decision, now: float, *, reason: str) -> Step:
    """Raise, escalate or raise again, unless this or a higher level is present."""
    alarm = state.alarm
    if alarm and rank(alarm.level) >= rank(level):
        if alarm.present:
            return state, ()
        return _signal_again(state, alarm, decision, now, reason=f"back: {reason}")
    begun = Alarm(
        level,
        present=True,
        decision=decision,
        supported_at=now,
        signalled_at=now,
        raised_in=decision.segment.heard_at,
        awaits_end=decision.segment.kind is SegmentKind.WINDOW,
    )
    event = AlarmEvent.ESCALATED if alarm else AlarmEvent.RAISED
    return replace(state, alarm=begun), (Transition(event, level, decision, reason, heard=True),)


def _signal_again(state: AlarmState, alarm: Alarm, decision: Decision, now: float, *, reason: str) -> Step:
    supported_at = alarm.supported_at if alarm.present else now
    again = replace(
        alarm,
        present=True,
        decision=decision,
        supported_at=supported_at,
        signalled_at=now,
        told=0,
        acknowledged=None,
    )
    back = Transition(
        AlarmEvent.RERAISED, alarm.level, decision, reason, heard=decision is not alarm.decision
    )
    return replace(state, alarm=again), (back,)


def _suppress(state: AlarmState, level: Label, decision: Decision, *, reason: str) -> Step:
    utterance = decision.segment.heard_at
    if state.suppressed.get(level) == utterance:
        return state, ()
    told = state.suppressed | {level: utterance}
    suppressed = Transition(AlarmEvent.SUPPRESSED, level, decision, reason, heard=True)
    return replace(state, suppressed=told), (suppressed,)


def _close_window(state: AlarmState, decision: Decision) -> Step:
    """The utterance that raised the alarm by a window has ended and been judged whole."""
    alarm, ended = state.alarm, decision.segment.kind is SegmentKind.UTTERANCE
    if not (alarm and alarm.awaits_end and ended and alarm.raised_in == decision.segment.heard_at):
        return state, ()
    reason = f"{_verdict(decision, alarm)} by the whole utterance"
    amended = Transition(AlarmEvent.AMENDED, alarm.level, decision, reason, heard=True)
    return replace(state, alarm=replace(alarm, awaits_end=False)), (amended,)


def _verdict(decision: Decision, alarm: Alarm) -> str:
    return "confirmed" if rank(decision.label) >= rank(alarm.level) else "not confirmed"


def _over(state: AlarmState, alarm: Alarm, now: float, config: AlarmConfig) -> Step:
    rules = rules_of(alarm.level, config)
    reason = f"no {alarm.level} detected for {rules.hold:g} s"
    if alarm.acknowledged or not rules.latching:
        return _clear(state, alarm, now, reason=reason)
    reason += "; signalled until acknowledged"
    latched = Transition(AlarmEvent.LATCHED, alarm.level, alarm.decision, reason)
    return replace(state, alarm=replace(alarm, present=False, awaits_end=False)), (latched,)


def _clear(state: AlarmState, alarm: Alarm, now: float, *, reason: str) -> Step:
    over = {level: now for level in URGENT_FIRST if rank(level) <= rank(alarm.level)}
    cleared = Transition(AlarmEvent.CLEARED, alarm.level, alarm.decision, reason)
    return replace(state, alarm=None, cleared_at=state.cleared_at | over), (cleared,)


def _remind(state: AlarmState, alarm: Alarm, now: float, config: AlarmConfig) -> Step:
    """Tell again what nobody acknowledges: the steps of its level, then at even times."""
    steps, waited = rules_of(alarm.level, config).escalate_after, now - alarm.signalled_at
    if not steps or alarm.acknowledged:
        return state, ()
    # Counted, so that what came due while the agent was down is told once.
    due = sum(waited >= after for after in steps) + max(0, int((waited - steps[-1]) / config.remind_every))
    if due <= alarm.told:
        return state, ()
    event = AlarmEvent.UNACKNOWLEDGED if due <= len(steps) else AlarmEvent.REMINDER
    reason = f"unacknowledged for {waited:.0f} s"
    again = Transition(event, alarm.level, alarm.decision, reason, step=due)
    return replace(state, alarm=replace(alarm, told=due)), (again,)


def _end_pause(state: AlarmState, now: float) -> AlarmState:
    if state.pause is None:
        return state
    if now >= state.pause.until:
        return replace(state, pause=None)
    ending = now >= state.pause.since + _ENDING * (state.pause.until - state.pause.since)
    return (
        state if ending is state.pause.ending else replace(state, pause=replace(state.pause, ending=ending))
    )


def clock_set(state: AlarmState, by: float) -> AlarmState:
    """The state with all its times moved: the clock was set by so much (s), and nothing is older for it."""
    alarm, paused = state.alarm, state.pause
    if alarm:
        taken = alarm.acknowledged
        alarm = replace(
            alarm,
            supported_at=alarm.supported_at + by,
            signalled_at=alarm.signalled_at + by,
            acknowledged=taken and replace(taken, until=taken.until + by),
        )
    return replace(
        state,
        at=state.at + by,
        alarm=alarm,
        pause=paused and replace(paused, since=paused.since + by, until=paused.until + by),
        cleared_at={level: at + by for level, at in state.cleared_at.items()},
        votes=tuple(replace(vote, at=vote.at + by) for vote in state.votes),
    )


def _at(state: AlarmState, now: float) -> AlarmState:
    """The state at ``now``; where the clock was set back, with all its times set back as far."""
    back = state.at - now
    return clock_set(state, -back) if back > STEPPED else replace(state, at=max(now, state.at))
