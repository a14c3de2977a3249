"""A reasoner whose answers a test writes itself."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ReasonerError
from vser_stream.values import Case, Label, Probabilities

__all__ = ["SURE_OF_PANIC", "Scripted"]

SURE_OF_PANIC = Probabilities(calm=0.01, angry=0.04, panic=0.95)


@dataclass(slots=True)
class Scripted:
    """Believes one thing and says what is written for it.

    Args:
        verdict: What it believes of every case.
        says: Its rationale; by default a true one.
        held: Clear it to let answers wait.
        broken: Set it to let every answer fail, and the reasoner with it.
    """

    verdict: Probabilities = SURE_OF_PANIC
    says: Callable[[Case, Label], str] = Writer().write
    held: threading.Event = field(default_factory=threading.Event)
    broken: threading.Event = field(default_factory=threading.Event)
    judged: list[Case] = field(default_factory=list)
    explained: list[Case] = field(default_factory=list)
    prepared: int = 0
    ready: bool = False

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def version(self) -> str:
        return "scripted"

    def prepare(self) -> None:
        self.prepared += 1
        if self.broken.is_set():
            raise ReasonerError("it is broken")
        self.ready = True

    def judge(self, case: Case, *, within: float) -> Probabilities:
        self.judged.append(case)
        self._answer(within)
        return self.verdict

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        self.explained.append(case)
        self._answer(within)
        return self.says(case, label)

    def close(self) -> None:
        self.broken.set()
        self.held.set()

    def _answer(self, within: float) -> None:
        self.held.wait(within + 5.0)
        if self.broken.is_set():
            self.ready = False
            raise ReasonerError("it is broken")
