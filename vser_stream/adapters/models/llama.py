"""A language model on this box, run by llama.cpp in a child process that can be killed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import math
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from vser_stream.adapters.models import llama_child
from vser_stream.core.reason.dialogue import Talk
from vser_stream.errors import ModelError, ReasonerError
from vser_stream.files import regular
from vser_stream.values import Case, Label, Probabilities

__all__ = ["LlamaReasoner", "Weights"]

_LOADED_WITHIN = 120.0
"""Time to load a model and evaluate its prefix: 0.5 G parameters on a slow core take 5 s (s)."""

_GRACE = 5.0
"""Beyond its time a slow box may still evaluate a prompt; what takes longer hangs (s)."""

_LONGEST = 400
"""Longest rationale; the longest that is published has 110 words (tokens)."""

_RETRY_TEMPERATURE = 0.7
"""The first answer is the most probable one; asked again, it would be the same."""

_STATE = 200 * 2**20
"""What llama.cpp takes beside the weights, for a model of 0.5 G parameters (bytes)."""

_KILLED = 2.0
"""A killed process is gone after this (s)."""

_MAGIC = b"GGUF"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """A GGUF file.

    Args:
        path: Of the file.
        sha256: What its content must be; None to believe it as it is.
        name: What the model is called; default: as the file.
    """

    path: Path
    sha256: str | None = None
    name: str | None = None

    def verify(self) -> str:
        """Return its sha256.

        Raises:
            ModelError: It is missing, no GGUF, another file than was meant, or too big for this box.
        """
        try:
            size = regular(self.path).stat().st_size
            with self.path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise ModelError(f"{self.path}: is no GGUF file; give one made for llama.cpp")
                if size + _STATE > (free := _memory_available()):
                    raise ModelError(
                        f"{self.path}: needs {(size + _STATE) / 2**20:.0f} MiB of memory, "
                        f"{free / 2**20:.0f} MiB are free; choose a smaller model"
                    )
                file.seek(0)
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise ModelError(f"{self.path}: cannot be read ({exc.strerror}); check the path") from exc
        if self.sha256 is not None and found != self.sha256.lower():
            raise ModelError(
                f"{self.path}: has sha256 {found}, expected {self.sha256.lower()}; "
                "it is damaged or another model"
            )
        return found


def _memory_available() -> int:
    """Memory that can be had without swapping (bytes)."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return sizes["MemAvailable"] * 1024


@dataclass(slots=True)
class _Child:
    """One process and its pipes."""

    process: subprocess.Popen[bytes]
    held: bytes = b""
    begun: tuple[object, ...] | None = None
    """The prefix it has evaluated."""

    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def ask(self, patience: float, /, **body: object) -> dict[str, Any]:
        """Return its answer.

        Raises:
            ReasonerError: There is none in time, or it has died.
        """
        number, until = next(self.numbers), time.monotonic() + patience
        line = json.dumps({"id": number, "body": body}).encode() + b"\n"
        try:
            pipe = cast("Any", self.process.stdin)  # PIPE was asked for
            pipe.write(line)
            pipe.flush()
        except OSError as exc:
            raise ReasonerError("the language model's process has died; restarting it") from exc
        while (answer := self._line(until)).get("id") != number:
            pass
        return answer

    def _line(self, until: float) -> dict[str, Any]:
        output = cast("Any", self.process.stdout)
        poll = select.poll()
        poll.register(output, select.POLLIN)
        while b"\n" not in self.held:
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise ReasonerError("the language model hangs; restarting its process")
            data = output.read1(65536)
            if not data:
                raise ReasonerError("the language model's process has died; restarting it")
            self.held += data
        line, self.held = self.held.split(b"\n", 1)
        return cast("dict[str, Any]", json.loads(line))


class LlamaReasoner:
    """Implements :class:`vser_stream.ports.Reasoner`; one thread at a time, but for :meth:`close`.

    Args:
        weights: The model.
        talk: How it is spoken to now; asked for at each case, since rules may be exchanged.
        threads: For llama.cpp.

    Raises:
        ModelError: The model cannot be used.
    """

    def __init__(self, weights: Weights, talk: Callable[[], Talk], *, threads: int = 1) -> None:
        self.sha256 = weights.verify()
        self._path, self._talk, self._threads = weights.path, talk, threads
        self._name = weights.name or weights.path.stem
        self._child: _Child | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._asked: tuple[Case, Label] | None = None
        self._times = 0

    @property
    def version(self) -> str:
        """For the alert document."""
        return f"{self._name}+{self.sha256[:12]}"

    @property
    def pid(self) -> int | None:
        """Of the child process, while there is one."""
        return self._child.process.pid if self._child else None

    @property
    def ready(self) -> bool:
        """Whether the child is there."""
        return self._child is not None and self._child.process.poll() is None

    def prepare(self) -> None:
        """Start the child, load the model and evaluate the prefix, unless that has been done.

        Raises:
            ModelError: llama.cpp cannot use the model.
            ReasonerError: It crashes or hangs.
        """
        with self._undisturbed():
            if not self.ready:
                self._end()
                child = self._start()
                loaded = child.ask(_LOADED_WITHIN, do="load", path=str(self._path), threads=self._threads)
                if "error" in loaded:
                    raise ModelError(f"{self._path}: {loaded['error']}")
            self._begin()

    def judge(self, case: Case, *, within: float) -> Probabilities:
        """See :class:`vser_stream.ports.Reasoner`.

        Raises:
            ReasonerError: It is not ready, crashes or hangs, or is too late.
        """
        evidence = self._talk().evidence(case)
        answer = self._question(within, do="judge", evidence=evidence)
        return _softmax(answer["logits"])

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        """See :class:`vser_stream.ports.Reasoner`; asked the same again, it answers otherwise.

        Raises:
            ReasonerError: It is not ready, crashes or hangs, is too late, or its answer never ends.
        """
        talk = self._talk()
        self._times = self._times + 1 if self._asked == (case, label) else 0
        self._asked = (case, label)
        request = {
            "evidence": talk.evidence(case),
            "opening": talk.opening(case, label),
            "grammar": talk.grammar(case, label),
            "sampling": {"temperature": _RETRY_TEMPERATURE if self._times else 0.0, "seed": self._times},
            "longest": _LONGEST,
        }
        answer = self._question(within, do="explain", seconds=within, **request)
        return talk.finish(answer["text"], case, label)

    def close(self) -> None:
        """Kill the child, whatever it does; may be called from any thread."""
        self._closed = True
        if (child := self._child) is not None:
            child.process.kill()  # so that whoever waits for it hears at once
        with self._lock:
            self._end()

    def _start(self) -> _Child:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-P", "-m", llama_child.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},  # it would start a debugger when it crashes
        )
        self._child = child = _Child(process)
        if self._closed:
            raise ReasonerError("the reasoner was closed")
        return child

    def _begin(self) -> _Child:
        """Let the child evaluate the prefix of today."""
        child, talk = self._child, self._talk()
        if child is None:
            raise ReasonerError("the language model is starting; later cases can be answered")
        prefix = (talk.prefix, talk.plain, talk.answer_start, talk.words)
        if child.begun != prefix:
            names = ("prefix", "plain", "answer_start", "words")
            begun = child.ask(_LOADED_WITHIN, do="begin", **dict(zip(names, prefix, strict=True)))
            if "error" in begun:
                raise ModelError(f"{self._path}: {begun['error']}")
            child.begun = prefix
        return child

    def _question(self, within: float, **body: object) -> dict[str, Any]:
        try:
            with self._undisturbed():
                answer = self._begin().ask(within + _GRACE, **body)
        except ModelError as exc:  # it was well at the start; the rules have changed since
            raise ReasonerError(str(exc)) from exc
        if "error" in answer:
            raise ReasonerError(answer["error"])
        return answer

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """One request at a time; a child that gave trouble is not asked again."""
        with self._lock:
            try:
                yield
            except (ReasonerError, ModelError):
                self._end()
                raise

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.process.kill()
        for pipe in (child.process.stdin, child.process.stdout):
            with contextlib.suppress(OSError):  # what was not read yet
                cast("Any", pipe).close()
        try:
            child.process.wait(timeout=_KILLED)
        except subprocess.TimeoutExpired:
            _log.error("language model did not exit after SIGKILL: pid=%d", child.process.pid)


def _softmax(logits: list[float]) -> Probabilities:
    if not all(map(math.isfinite, logits)):
        raise ReasonerError("the language model returns NaN; its file is damaged")
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    return Probabilities(*(weight / sum(weights) for weight in weights))
