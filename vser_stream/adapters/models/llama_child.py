"""The language model's child process: llama.cpp on one side, pipes on the other.

Native code that crashes, hangs or is killed for its memory takes this process with it and nothing
else. ``python -m vser_stream.adapters.models.llama_child`` reads requests from stdin, one JSON object a line,
and answers each with one line: ``{"id": ..., ...}`` or ``{"id": ..., "error": ...}``. It ends when
stdin does, so it never outlives its parent; see :mod:`vser_stream.adapters.models.llama`.

``load`` takes a GGUF file, ``begin`` a prefix that is evaluated once and whose state is kept,
``judge`` an evidence after it and returns the logits of the label words, ``explain`` goes on from
there under a grammar.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

CONTEXT = 4096
"""Longest prompt with its answer (tokens); the rules and 17 cues take less than a third of it."""

_EXACT_BELOW = 64 * 2**20
"""A smaller file gets its state in 32 bits: it answers as it did in training, for a few MB."""

_MARK = "\N{WHITE SQUARE}evidence\N{WHITE SQUARE}"
"""Stands for the evidence while a chat template is filled in."""

_LONGEST_TOKEN = 512
"""Room for the text of one token (bytes)."""

_KILL_FIRST = b"1000"
"""Where memory runs out, the kernel ends this process before any other."""


class ChatError(Exception):
    """The request cannot be served; the message is for a person."""


def main() -> None:
    """Serve requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _prefer_oom_kill()
    _mute_native_code()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    engine = Engine()
    while True:
        request = requests.get()
        try:
            answer = engine.serve(**request["body"])
        except ChatError as exc:
            answer = {"error": str(exc)}
        _write(json.dumps({"id": request["id"], **answer}).encode() + b"\n")


def _read(requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin.buffer:
        requests.put(json.loads(line))
    os._exit(0)  # the parent has gone


def _prefer_oom_kill() -> None:
    try:
        with open("/proc/self/oom_score_adj", "wb") as file:  # noqa: PTH123 - no path to handle
            file.write(_KILL_FIRST)
    except OSError:
        return  # some containers forbid it


def _mute_native_code() -> None:
    """Keep llama.cpp's chatter out of the journal, but not our own tracebacks."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the evidence (tokens)."""

    before: list[int]
    after: list[int]
    labels: list[int]
    """First token of each label word."""


class Engine:
    """One model and what it has read so far."""

    def __init__(self) -> None:
        self._llama: Any = None
        self._silence: Any = None
        self._frame = _Frame([], [], [])
        self._told: str | None = None
        """Evidence the model stands behind."""

    def serve(self, do: str, **what: Any) -> dict[str, Any]:
        """Answer one request.

        Raises:
            ChatError: It cannot be served.
        """
        verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "load": self.load,
            "begin": self.begin,
            "judge": self.judge,
            "explain": self.explain,
        }
        return verbs[do](**what)

    def load(self, *, path: str, threads: int) -> dict[str, Any]:
        """Load a GGUF file.

        Raises:
            ChatError: It is none, or llama.cpp cannot run it.
        """
        lib = _llama_cpp()
        self._silence = lib.llama_log_callback(lambda *_: None)  # held: native code calls it
        lib.llama_log_set(self._silence, ctypes.c_void_p(0))
        exact = {"type_k": lib.GGML_TYPE_F32, "type_v": lib.GGML_TYPE_F32}
        try:
            self._llama = lib.Llama(
                path,
                n_ctx=CONTEXT,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=0,
                verbose=False,
                **(exact if os.path.getsize(path) < _EXACT_BELOW else {}),  # noqa: PTH202 - one call
            )
        except (ValueError, OSError, RuntimeError) as exc:
            raise ChatError("llama.cpp cannot load it; the file is damaged or needs a newer version") from exc
        return {"library": lib.__version__}

    def begin(self, *, prefix: str, plain: bool, answer_start: str, words: list[str]) -> dict[str, Any]:
        """Evaluate what all prompts have in common.

        Raises:
            ChatError: It is too long, or the model cannot tell the labels apart.
        """
        labels = [self._tokens(word)[0] for word in words]
        if len(set(labels)) < len(words):
            raise ChatError("two labels begin with the same token, so the answer cannot be read from one")
        if plain:
            before, after = self._tokens(prefix, bos=True), ""
        else:
            opened, after = self._chat(prefix)
            before = self._tokens(opened, special=True)
        self._frame = _Frame(
            before, [*self._tokens(after, special=True), *self._tokens(answer_start)], labels
        )
        self._told = None
        self._room_for(before)
        self._llama.reset()
        self._llama.eval(before)
        return {"tokens": len(before)}

    def judge(self, *, evidence: str) -> dict[str, Any]:
        """Return the logits of the label words after the evidence.

        Raises:
            ChatError: It is too long.
        """
        self._tell(evidence)
        logits = _llama_cpp().llama_get_logits_ith(self._llama.ctx, -1)
        return {"logits": [logits[token] for token in self._frame.labels]}

    def explain(
        self,
        *,
        evidence: str,
        opening: str,
        grammar: str,
        sampling: Mapping[str, float],
        longest: int,
        seconds: float,
    ) -> dict[str, Any]:
        """Write on after the evidence and ``opening`` until the grammar ends.

        Args:
            evidence: What is told of the case.
            opening: How the answer begins.
            grammar: What it may be, in GBNF.
            sampling: ``temperature`` and ``seed``.
            longest: Of the answer (tokens).
            seconds: It may take (s).

        Raises:
            ChatError: It does not end in ``longest`` tokens or ``seconds``.
        """
        until = time.monotonic() + seconds
        if evidence != self._told:
            self._tell(evidence)  # in the same two steps, so that the same figures come of it
        # What a rule book or a case holds never becomes one of the tokens that steer a chat.
        prompt = [*self._prompt(evidence), *self._tokens(opening)]
        self._room_for(prompt, longest)
        rules = _llama_cpp().LlamaGrammar.from_string(grammar, verbose=False)
        written: list[int] = []
        self._llama.set_seed(int(sampling["seed"]))
        try:
            for token in self._llama.generate(
                prompt, temp=sampling["temperature"], top_k=0, top_p=1.0, min_p=0.0, grammar=rules
            ):
                if self._ends(token):
                    return {"text": self._text(written)}
                written.append(token)
                if len(written) >= longest:
                    raise ChatError(f"the answer does not end within {longest} tokens")
                if time.monotonic() > until:
                    raise ChatError(f"the answer is not complete after {seconds:.1f} s")
        finally:
            self._told = None
        raise ChatError("generation ended without an end-of-sequence token")

    def _text(self, tokens: list[int]) -> str:
        """Decode; llama-cpp-python itself loses a token of more than 32 bytes, as Vietnamese words are."""
        lib = _llama_cpp()
        vocab, buffer = (
            lib.llama_model_get_vocab(self._llama.model),
            ctypes.create_string_buffer(_LONGEST_TOKEN),
        )
        plainly = (0, False)  # no space taken away, no control token told
        pieces = []
        for token in tokens:
            size = lib.llama_token_to_piece(vocab, token, buffer, _LONGEST_TOKEN, *plainly)
            pieces.append(buffer.raw[: max(0, size)])
        return b"".join(pieces).decode("utf-8", "replace")

    def _tell(self, evidence: str) -> None:
        tokens = self._prompt(evidence)
        self._room_for(tokens)
        common = len(self._frame.before)
        self._told = None
        self._llama.n_tokens = common  # the rest of the state is cut off by eval
        self._llama.eval(tokens[common:])
        self._told = evidence

    def _prompt(self, evidence: str) -> list[int]:
        return [*self._frame.before, *self._tokens(evidence), *self._frame.after]

    def _tokens(self, text: str, *, bos: bool = False, special: bool = False) -> list[int]:
        tokens: list[int] = self._llama.tokenize(text.encode(), add_bos=bos, special=special) if text else []
        return tokens

    def _room_for(self, tokens: list[int], more: int = 1) -> None:
        if len(tokens) + more > self._llama.n_ctx():
            raise ChatError(
                f"the prompt takes {len(tokens)} tokens, the model has room for {self._llama.n_ctx()}"
            )

    def _ends(self, token: int) -> bool:
        lib = _llama_cpp()
        return bool(lib.llama_vocab_is_eog(lib.llama_model_get_vocab(self._llama.model), token))

    def _chat(self, system: str) -> tuple[str, str]:
        """The model's own template around a system message and the evidence, split at the evidence."""
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            raise ChatError("it has no chat template; choose a model that is made for conversation")
        formats = importlib.import_module("llama_cpp.llama_chat_format")
        fill = formats.Jinja2ChatFormatter(
            template=template, bos_token=self._special("bos"), eos_token=self._special("eos")
        )
        apart = [{"role": "system", "content": system}, {"role": "user", "content": _MARK}]
        together = [{"role": "user", "content": f"{system}\n\n{_MARK}"}]
        for messages in (apart, together):  # some templates know no system message
            try:
                before, _, after = fill(messages=messages).prompt.partition(_MARK)
            except (ValueError, importlib.import_module("jinja2").TemplateError):
                continue
            if after and system in before:
                return before, after
        raise ChatError("its chat template cannot be filled in; choose another model")

    def _special(self, name: str) -> str:
        token = self._llama.token_bos() if name == "bos" else self._llama.token_eos()
        if token < 0:
            return ""
        return str(self._llama.detokenize([token], special=True).decode("utf-8", "replace"))


def _llama_cpp() -> ModuleType:
    try:
        return importlib.import_module("llama_cpp")
    except (ImportError, OSError, RuntimeError) as exc:  # OSError, RuntimeError: its library does not load
        raise ChatError("llama.cpp is not installed; pip install 'vser-stream[llm]'") from exc


if __name__ == "__main__":
    main()
