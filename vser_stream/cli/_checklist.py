"""Steps that are told one by one: good, doubtful, or failed; the next one is taken all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from vser_stream.errors import VserError

__all__ = ["TO_DO", "DoubtError", "Examination", "Finding", "Verdict"]

TO_DO = 6
"""Exit code where a step has failed: the examination did its work, and somebody else has some."""

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
class Examination:
    """Takes steps, tells of each, and goes on after one that fails."""

    tell: Callable[[Finding], None]
    findings: list[Finding] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], T], detail: Callable[[T], str] = str) -> T | None:
        """Do ``work``; return what it returns, or None where it failed."""
        began = time.monotonic()
        result, verdict, words = None, Verdict.OK, ""
        try:
            result = work()
            words = detail(result)
        except DoubtError as exc:
            verdict, words = Verdict.WARN, str(exc)
        except VserError as exc:
            verdict, words = Verdict.FAIL, str(exc)
        self.note(Finding(name, verdict, words, round(1000 * (time.monotonic() - began), 1)))
        return result

    def of(self, verdict: Verdict) -> list[Finding]:
        """The findings with one verdict."""
        return [one for one in self.findings if one.verdict is verdict]

    def note(self, finding: Finding) -> None:
        """Tell of a step."""
        self.findings.append(finding)
        self.tell(finding)
