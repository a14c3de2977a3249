"""Steps that are taken and told one by one, by ``doctor`` and ``probe``: good, doubtful, or failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from vser_stream.errors import VserError

__all__ = ["TO_DO", "Checklist", "DoubtError", "Finding", "Verdict"]

TO_DO = 6
"""Exit code where a step has failed: the checklist did its work, and somebody else has some."""

T = TypeVar("T")


class Verdict(StrEnum):
    """Of one step."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class DoubtError(VserError):
    """It works, but somebody should know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One step that was taken."""

    name: str
    verdict: Verdict
    detail: str
    ms: float
    """Time it took (ms)."""


@dataclass(slots=True)
class Checklist:
    """Takes steps and tells of each."""

    tell: Callable[[Finding], None]
    findings: list[Finding] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], T], detail: Callable[[T], str] = str) -> T | None:
        """Do ``work``; return what it returns, or None where it failed: the next step is taken anyway."""
        with suppress(VserError):
            return self._taken(name, work, detail)
        return None

    def must(self, name: str, work: Callable[[], T], detail: Callable[[T], str] = str) -> T:
        """Do ``work``; the next step makes no sense without it.

        Raises:
            VserError: As ``work``, with the name of the step.
        """
        try:
            return self._taken(name, work, detail)
        except VserError as exc:
            raise type(exc)(f"{name}: {exc}") from exc

    def of(self, verdict: Verdict) -> list[Finding]:
        """The findings with one verdict."""
        return [one for one in self.findings if one.verdict is verdict]

    def note(self, name: str, verdict: Verdict, detail: str, *, began: float) -> None:
        """Tell of a step that began then (``time.monotonic()``)."""
        self.add(Finding(name, verdict, detail, round(1000 * (time.monotonic() - began), 1)))

    def add(self, finding: Finding) -> None:
        """Tell of a step."""
        self.findings.append(finding)
        self.tell(finding)

    def _taken(self, name: str, work: Callable[[], T], detail: Callable[[T], str]) -> T:
        began = time.monotonic()
        try:
            result = work()
            words = detail(result)
        except VserError as exc:
            verdict = Verdict.WARN if isinstance(exc, DoubtError) else Verdict.FAIL
            self.note(name, verdict, str(exc), began=began)
            raise
        self.note(name, Verdict.OK, words, began=began)
        return result
