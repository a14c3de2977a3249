"""A language model behind any OpenAI-compatible server: llama-server, vLLM, Ollama and others.

Only the figures of a case leave the process, and by default only to this box. What the server can
enforce is found out by asking it, and whatever it answers is read as if it enforced nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, cast

from vser_stream.adapters.models.http_json import JsonServer, ServerAddress
from vser_stream.core.reason.answer import label_in, object_in
from vser_stream.core.reason.chat import Chat
from vser_stream.errors import ConfigError, ReasonerError
from vser_stream.values import LABELS, Case, Label, Probabilities

__all__ = ["OpenAiServer"]

_PROBED_WITHIN = 30.0
"""For each question of the probe: the first one may load the model (s)."""

_LONGEST, _SHORT = 300, 24
"""Longest whole answer, and longest label (tokens)."""

_RETRY_TEMPERATURE = 0.7

_LABEL_ALONE = Probabilities(calm=0.15, angry=0.15, panic=0.15)
"""What the other labels get from a server that tells a label but not how sure it is."""

_VERDICT = re.compile(r'\{\s*"label"\s*:\s*"$')
_VERDICT_LENGTH = 64
"""Room for it, with blanks (characters)."""


class Limits(StrEnum):
    """What a server enforces, from the strictest to nothing."""

    GRAMMAR = "grammar"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    NONE = "none"


class OpenAiServer:
    """Implements :class:`vser_stream.ports.Reasoner`; one thread at a time, but for :meth:`close`.

    Args:
        address: Of the server.
        chat: What it is told; asked for at each case, since rules may be exchanged.

    Raises:
        ConfigError: The server is farther away than ``egress`` allows, or the key cannot be read.
    """

    def __init__(self, address: ServerAddress, chat: Callable[[], Chat]) -> None:
        self._wire = JsonServer(address)
        self._model, self._chat = address.model, chat
        self._limits = Limits.NONE
        self._tells_chances = False
        self._asked: tuple[Case, Label] | None = None
        self._times = 0

    @property
    def version(self) -> str:
        """For the alert document."""
        return f"{self._model}@{self._wire.host}"

    @property
    def ready(self) -> bool:
        """It keeps no state here."""
        return True

    def prepare(self) -> None:
        """Find out what the server enforces and tells.

        Raises:
            ConfigError: It refuses us, or is farther away than allowed.
            ReasonerError: It does not answer.
        """
        self._ask(_PROBED_WITHIN, messages=[_user("Say yes.")], max_tokens=1)
        self._limits = next((one for one in Limits if self._enforces(one)), Limits.NONE)
        try:
            choice = self._ask(_PROBED_WITHIN, messages=[_user("Say yes.")], max_tokens=1, **_CHANCES)
        except ReasonerError:
            self._tells_chances = False
        else:
            self._tells_chances = any(True for _ in _tokens(choice))

    def judge(self, case: Case, *, within: float) -> Probabilities:
        """See :class:`vser_stream.ports.Reasoner`.

        Raises:
            ReasonerError: It is down, late, or answers nonsense.
        """
        limits = self._limited(_label_grammar(), _label_schema(LABELS))
        chances = _CHANCES if self._tells_chances else {}
        longest = _LONGEST if self._limits is Limits.NONE else _SHORT
        choice = self._answer(within, messages=self._messages(case), max_tokens=longest, **limits, **chances)
        label = label_in(object_in(_content(choice)))
        return _chances_of(choice, label) or _certain(label)

    def explain(self, case: Case, label: Label, *, within: float) -> str:
        """See :class:`vser_stream.ports.Reasoner`; asked the same again, it answers otherwise.

        Raises:
            ReasonerError: It is down, late, or answers nonsense.
        """
        self._times = self._times + 1 if self._asked == (case, label) else 0
        self._asked = (case, label)
        chat = self._chat()
        choice = self._answer(
            within,
            messages=self._messages(case),
            max_tokens=_LONGEST,
            temperature=_RETRY_TEMPERATURE if self._times else 0.0,
            seed=self._times,
            **self._limited(_whole_grammar(chat, case, label), _schema_for(chat, label)),
        )
        told, rationale = chat.parse(_content(choice))
        if told is not label:
            raise ReasonerError(f"the server explains {told.value}, not {label.value} as it was asked")
        return rationale

    def close(self) -> None:
        """Cut the connection, if there is one; may be called from any thread."""
        self._wire.close()

    def _messages(self, case: Case) -> list[dict[str, str]]:
        chat = self._chat()
        return [{"role": "system", "content": chat.system}, _user(chat.evidence(case))]

    def _enforces(self, limits: Limits) -> bool:
        """Whether it answers a word nobody would say unless made to."""
        self._limits = limits
        word = '{"label": "calm"}'
        limited = self._limited(f"root ::= {json.dumps(word)}", _label_schema([Label.CALM]))
        try:
            choice = self._ask(_PROBED_WITHIN, messages=[_user("Say yes.")], max_tokens=_SHORT, **limited)
            return bool(json.loads(_content(choice)) == json.loads(word))
        except (ReasonerError, ValueError, RecursionError):
            return False

    def _limited(self, grammar: str, schema: Mapping[str, object]) -> dict[str, object]:
        match self._limits:
            case Limits.GRAMMAR:
                return {"grammar": grammar}
            case Limits.JSON_SCHEMA:
                named = {"name": "answer", "schema": schema, "strict": True}
                return {"response_format": {"type": "json_schema", "json_schema": named}}
            case Limits.JSON_OBJECT:
                return {"response_format": {"type": "json_object", "schema": schema}}
            case _:
                return {}

    def _answer(self, within: float, **body: object) -> Mapping[str, Any]:
        try:
            return self._ask(within, **body)
        except ConfigError as exc:  # it was well at the start
            raise ReasonerError(str(exc)) from exc

    def _ask(self, within: float, **body: object) -> Mapping[str, Any]:
        """Return the first choice of the answer."""
        request = {"model": self._model, "temperature": 0.0, "seed": 0} | body
        answer = self._wire.post("/chat/completions", request, within=within)
        try:
            choice: Mapping[str, Any] = answer["choices"][0]
            _content(choice)
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise ReasonerError("the server's answer is no chat completion; check url and model") from exc
        return choice


_CHANCES: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 20}


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _content(choice: Mapping[str, Any]) -> str:
    """What was said, in one piece or in several.

    Raises:
        KeyError, TypeError, ValueError: It is no text.
    """
    match choice["message"]["content"]:
        case None:
            return ""
        case str(text):
            return text
        case [*parts]:
            return "".join(part["text"] for part in map(dict, parts) if part.get("type") == "text")
        case _:
            raise TypeError


def _label_grammar() -> str:
    labels = " | ".join(json.dumps(label.value) for label in LABELS)
    return f'root ::= "{{\\"label\\": \\"" ({labels}) "\\"}}"'


def _whole_grammar(chat: Chat, case: Case, label: Label) -> str:
    start = json.dumps(chat.answer_start + chat.rationale_start(label))
    return f"root ::= {start} rationale\n" + chat.grammar(case, label).replace("root ::=", "rationale ::=", 1)


def _label_schema(labels: Any) -> Mapping[str, object]:
    return {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": [label.value for label in labels]}},
        "required": ["label"],
        "additionalProperties": False,
    }


def _schema_for(chat: Chat, label: Label) -> Mapping[str, object]:
    """Leave it no other label than the one to explain."""
    told = _label_schema([label])
    rationale = cast("Any", chat.schema)["properties"]["rationale"]
    properties = {**cast("Any", told)["properties"], "rationale": rationale}
    return {**told, "properties": properties, "required": ["label", "rationale"]}


def _certain(label: Label) -> Probabilities:
    others = {one.value: _LABEL_ALONE.of(one) for one in LABELS if one is not label}
    return Probabilities(**others, **{label.value: 1.0 - sum(others.values())})


def _tokens(choice: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    yield from (one for one in content if isinstance(one, dict)) if isinstance(content, list) else ()


def _chances_of(choice: Mapping[str, Any], label: Label) -> Probabilities | None:
    """How likely each label was where the answer names one; None if the server does not tell."""
    said = ""
    for token in _tokens(choice):
        if _VERDICT.search(said):
            return _shared(token.get("top_logprobs"), label)
        said = (said + str(token.get("token", "")))[-_VERDICT_LENGTH:]
    return None


def _shared(candidates: Any, label: Label) -> Probabilities | None:
    """Give each candidate token to the one label it begins."""
    chances = dict.fromkeys(LABELS, 1e-4)
    try:
        for one in candidates:
            begun = [name for name in LABELS if one["token"] and name.value.startswith(one["token"])]
            if len(begun) == 1:
                chances[begun[0]] += math.exp(one["logprob"])
    except (KeyError, TypeError, OverflowError):
        return None
    total = sum(chances.values())
    if not math.isfinite(total):  # JSON in Python knows NaN and infinity
        return None
    told = Probabilities(*(chances[one] / total for one in LABELS))
    return told if told.top is label else None
