"""Ambiguous utterances on their way to the reasoner and back, which nothing else waits for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason.arbitrate import left_to_svm
from vser_stream.core.reason.breaker import Breaker, BreakerState
from vser_stream.core.reason.fuse import amended, explained, resolve
from vser_stream.core.reason.rules import RuleBook
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ConfigError, ReasonerError, VserError
from vser_stream.ports import Clock, Reasoner
from vser_stream.runtime.containment import contained
from vser_stream.values import LABELS, Case, Decision, Label, RationaleBy

__all__ = ["Counters", "Escalation", "Standby"]

_HOUR = 3600.0

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Standby(Reasoner, Protocol):
    """A reasoner that is got ready and let go."""

    @property
    def version(self) -> str:
        """For the alert document."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it can be asked without being prepared again."""
        ...

    def prepare(self) -> None:
        """Get ready, also after trouble.

        Raises:
            ConfigError: It never will be.
            ReasonerError: Not now.
        """
        ...

    def close(self) -> None:
        """Let go at once, from any thread; who waits for an answer is told there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of ambiguous utterances, and how the reasoner stands."""

    asked: int = 0
    answered: int = 0
    """Decided together with the reasoner."""

    late: int = 0
    """Left to the SVM at the deadline."""

    dropped: int = 0
    """Left to the SVM because more urgent ones waited."""

    over_budget: int = 0
    """Left to the SVM because of the calls of the last hour."""

    unavailable: int = 0
    """Left to the SVM while the reasoner was away."""

    failed: int = 0
    """Left to the SVM because the reasoner gave no usable answer."""

    rationales: int = 0
    """Of the reasoner that were published; each was checked."""

    retries: int = 0
    """Rationales asked for again because the first was not true."""

    written: int = 0
    """Rationales written from the evidence instead."""

    restarts: int = 0
    """Attempts to get the reasoner ready again."""

    label_seconds: float = 0.0
    """Time it took to judge, of all that were answered (s)."""

    rationale_seconds: float = 0.0
    """Time it took to explain, of all that were answered (s)."""

    waiting: int = 0
    state: BreakerState = BreakerState.CLOSED


@dataclass(eq=False, slots=True)
class _Ticket:
    """One that waits."""

    urgency: float
    turn: asyncio.Future[str]
    """Empty when it may ask, else why it never will."""


class _LeftError(Exception):
    """The SVM decides; says which counter to raise."""


# Theory of operation
#
# One reasoner serves all sources, one question at a time, on a thread of its own (it may compute for
# seconds, or hang). Nothing else waits: a panic is published before it is weighed, and the deadline of an
# utterance counts from the end of its speech. After that the SVM's decision stands, as a fallback.
#
# weigh():   _turn            wait for the turn: the most urgent first, by the highest p(panic) anybody gives
#            _judged          ask for probabilities; fuse them with the SVM's (core/reason/fuse.py)
#            early(decision)  a more urgent label is passed on before its rationale is written
#            _explained       ask for a rationale; verify it; else the one that code has written stays
#
# Every way out that is not an answer is a _LeftError, named after the counter it raises: unavailable,
# dropped (queue full), late, over_budget, failed.
#
# The turn is a baton: _busy is True while somebody has it, and _pass_on hands it over. The case that needs
# care is a question that is given up as late while its thread still computes. Then the baton stays with
# that computation, and _came_late passes it on when it ends; so two questions never overlap, and the
# lateness counts as a failure.
#
# The breaker (core/reason/breaker.py) opens after repeated failures, or at once when the reasoner is
# broken. While it is open nobody asks; run() prepares the reasoner again after a growing pause; then one
# question probes it (HALF_OPEN), and others go to the SVM until that one is answered.
class Escalation:
    """Asks one reasoner for all sources, one case at a time and the most urgent first.

    Run :meth:`run` as a task: it gets the reasoner ready again after trouble.

    Args:
        reasoner: Whom to ask.
        writer: Writes rationales under the rules of now.
        config: How long the verdict and the rationale may take, how many are asked, how many may wait.
        clock: What time it is.
    """

    def __init__(
        self,
        reasoner: Standby,
        writer: Callable[[], Writer],
        config: ReasonerConfig | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._reasoner, self._writer, self._clock = reasoner, writer, clock
        self._config = config or ReasonerConfig()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reasoner")
        self._tickets: list[_Ticket] = []
        self._busy = False
        self._asking: asyncio.Future[Any] | None = None
        self._calls: deque[float] = deque()
        self._breaker = Breaker()
        self._opened = asyncio.Event()
        self._counters = Counters()
        self._closed = False
        self.trouble = "it was too slow"
        """Why the reasoner last gave no answer."""

    @property
    def version(self) -> str:
        """Of the reasoner."""
        return self._reasoner.version

    @property
    def book(self) -> RuleBook:
        """The rules of now."""
        return self._writer().book

    def counters(self) -> Counters:
        """How it stands."""
        return replace(self._counters, waiting=len(self._tickets), state=self._breaker.state)

    async def prepare(self) -> None:
        """Get the reasoner ready for the first time; one that is only away is tried again later.

        Raises:
            ConfigError: It can never be used.
        """
        try:
            await self._on_thread(self._reasoner.prepare)
        except ReasonerError as exc:
            self._failed(exc, broken=True)

    async def run(self) -> None:
        """Get the reasoner ready again whenever it must be; never ends."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            await asyncio.sleep(self._breaker.until - self._clock.monotonic())
            self._count("restarts")
            try:
                await self._on_thread(self._reasoner.prepare)
                self._breaker = self._breaker.prepared()
            except (ReasonerError, ConfigError) as exc:
                self._failed(exc, broken=True)

    async def weigh(
        self, decision: Decision, case: Case, *, early: Callable[[Decision], Awaitable[object]]
    ) -> Decision:
        """Return the decision as the reasoner has it, or as a fallback.

        A verdict more urgent than the SVM's is told to ``early`` before its rationale is there: it may
        raise an alarm, which does not wait for words.
        """
        # A clock that was set back since makes nobody wait longer.
        age = max(0.0, self._clock.wall() - decision.segment.ended_at)
        until = self._clock.monotonic() + self._config.deadline - age
        self._count("asked")
        try:
            async with self._turn(urgency_of(case), until):
                resolved = await self._judged(decision, case, until)
                if LABELS.index(resolved.label) > LABELS.index(decision.label):
                    await early(resolved)
                return await self._explained(resolved, case, until)
        except _LeftError as exc:
            self._count(str(exc))
            _log.debug("low-confidence utterance decided by the SVM: reason=%s", exc)
            return left_to_svm(decision)

    def close(self) -> None:
        """Let go of the reasoner, whatever it does."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._reasoner.close()

    async def _judged(self, decision: Decision, case: Case, until: float) -> Decision:
        began = self._clock.monotonic()
        try:
            verdict = await self._ask(partial(self._reasoner.judge, case, within=until - began), until)
        except VserError as exc:
            self._failed(exc, broken=not self._reasoner.ready)
            raise _LeftError("failed") from exc
        self._breaker = self._breaker.answered()
        self._count("answered")
        self._count("label_seconds", self._clock.monotonic() - began)
        return resolve(decision, case, verdict, self._writer())

    async def _explained(self, resolved: Decision, case: Case, until: float) -> Decision:
        """Add the rationale, checked, if there is time for it; else leave what the evidence says."""
        began = self._clock.monotonic()
        ask = partial(self._rationale, until)
        try:
            explanation = await self._ask(
                partial(explained, ask, case, resolved.label, self._writer()), until
            )
        except (_LeftError, VserError):
            self._count("written")
            return resolved
        if explanation.error is not None:
            _log.debug("no rationale from the reasoner: reason=%s", explanation.error)
            if not self._reasoner.ready:
                self._failed(explanation.error, broken=True)
        self._count("rationale_seconds", self._clock.monotonic() - began)
        self._count("retries", max(0, len(explanation.attempts) - 1))
        self._count("rationales" if explanation.by is RationaleBy.REASONER else "written")
        return amended(resolved, explanation)

    def _rationale(self, until: float, case: Case, label: Label) -> str:
        if (left := until - self._clock.monotonic()) <= 0:
            raise ReasonerError("no time left for a rationale")
        return self._reasoner.explain(case, label, within=left)

    async def _ask(self, question: Callable[[], Answer], until: float) -> Answer:
        """Ask on the thread.

        Raises:
            ReasonerError: There is no usable answer.
            _LeftError: None came in time; the thread is still busy with it. Or the end came.
        """
        if self._closed:
            raise _LeftError("unavailable")
        self._asking = asking = self._on_thread(question)
        await asyncio.wait({asking}, timeout=max(0.0, until - self._clock.monotonic()))
        if not asking.done():
            raise _LeftError("late")
        if asking.cancelled():
            raise _LeftError("unavailable")
        return await asking

    def _on_thread(self, work: Callable[[], Answer]) -> asyncio.Future[Answer]:
        """What a reasoner says is a stranger's: a bug it meets is an outage of the reasoner alone."""
        safe = partial(contained, work, source="reasoner", outage=ReasonerError)
        return asyncio.get_running_loop().run_in_executor(self._thread, safe)

    @asynccontextmanager
    async def _turn(self, urgency: float, until: float) -> AsyncIterator[None]:
        """Wait to be the one who asks.

        Raises:
            _LeftError: It never will be.
        """
        state = self._breaker.state
        probing = state is BreakerState.HALF_OPEN and self._busy
        if self._closed or state is BreakerState.OPEN or probing:
            raise _LeftError("unavailable")
        if self._busy:
            await self._wait(urgency, until)
        self._busy = True
        try:
            if self._closed:
                raise _LeftError("unavailable")
            if self._clock.monotonic() >= until:
                raise _LeftError("late")
            self._spend_call()
            yield
        finally:
            self._pass_on()

    async def _wait(self, urgency: float, until: float) -> None:
        ticket = _Ticket(urgency, asyncio.get_running_loop().create_future())
        self._tickets.append(ticket)
        if len(self._tickets) > self._config.queue:
            self._call(min(self._tickets, key=_urgency), "dropped")
        try:
            await asyncio.wait({ticket.turn}, timeout=max(0.0, until - self._clock.monotonic()))
        except asyncio.CancelledError:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            elif not ticket.turn.result():
                self._pass_on()
            raise
        if not ticket.turn.done():
            self._call(ticket, "late")
        if reason := ticket.turn.result():
            raise _LeftError(reason)

    def _call(self, ticket: _Ticket, reason: str = "") -> None:
        self._tickets.remove(ticket)
        ticket.turn.set_result(reason)

    def _spend_call(self) -> None:
        now = self._clock.monotonic()
        while self._calls and now - self._calls[0] > _HOUR:
            self._calls.popleft()
        if len(self._calls) >= self._config.calls_per_hour:
            raise _LeftError("over_budget")
        self._calls.append(now)

    def _pass_on(self) -> None:
        """Give the turn to the most urgent, when the reasoner is free."""
        if self._asking is not None and not self._asking.done():
            self._asking.add_done_callback(self._came_late)
        elif self._tickets:
            self._call(max(self._tickets, key=_urgency))
        else:
            self._busy = False

    def _came_late(self, asking: asyncio.Future[Any]) -> None:
        trouble = None if asking.cancelled() else asking.exception()
        self._failed(trouble or "it answered too late", broken=not self._reasoner.ready)
        self._pass_on()

    def _failed(self, why: object, *, broken: bool) -> None:
        self.trouble, was = str(why), self._breaker.state
        self._breaker = self._breaker.failed(self._clock.monotonic(), broken=broken)
        if self._breaker.state is not BreakerState.OPEN:
            return
        self._opened.set()
        if was is not BreakerState.OPEN:
            _log.warning("reasoner unavailable, falling back to the SVM: reason=%s", why)
            for ticket in list(self._tickets):
                self._call(ticket, "unavailable")

    def _count(self, counter: str, by: float = 1) -> None:
        self._counters = replace(self._counters, **{counter: getattr(self._counters, counter) + by})


def urgency_of(case: Case) -> float:
    """How much speaks for panic: the highest probability anybody gives it."""
    return max(opinion.panic for opinion in (case.probabilities, case.second) if opinion is not None)


def _urgency(ticket: _Ticket) -> float:
    return ticket.urgency
