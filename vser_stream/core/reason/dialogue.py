"""What passes between us and a language model, for the bundled one and for any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vser_stream.core.reason import grammar, prompt
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.language import Language
from vser_stream.errors import ReasonerError
from vser_stream.values import LABELS, Case, Label

__all__ = ["General", "Specialist", "Talk"]


class Talk(Protocol):
    """How a model is told a case, and how its answer is read."""

    @property
    def plain(self) -> bool:
        """Whether :attr:`prefix` is the text itself; else it is the system message of a chat."""
        ...

    @property
    def prefix(self) -> str:
        """What never changes from case to case."""
        ...

    @property
    def answer_start(self) -> str:
        """What the answer begins with, before the word of the label."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """The word of each label, in the order of LABELS; their first tokens differ."""
        ...

    def evidence(self, case: Case, /) -> str:
        """Tell one case."""
        ...

    def opening(self, case: Case, label: Label, /) -> str:
        """Continue :attr:`answer_start` with a verdict; the rationale follows."""
        ...

    def grammar(self, case: Case, label: Label, /) -> str:
        """GBNF of every rationale that is true of the case.

        Raises:
            ReasonerError: There is none.
        """
        ...

    def finish(self, text: str, case: Case, label: Label, /) -> str:
        """Turn what the model wrote after :meth:`opening` into what people read.

        Raises:
            ReasonerError: It cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Specialist:
    """With the bundled model, in the closed vocabulary it was trained on."""

    language: Language = Language.EN

    @property
    def plain(self) -> bool:
        """It knows no chat."""
        return True

    @property
    def prefix(self) -> str:
        """One word."""
        return prompt.PREFIX

    @property
    def answer_start(self) -> str:
        """Its evidence already ends where the label follows."""
        return ""

    @property
    def words(self) -> tuple[str, ...]:
        """One token each."""
        return tuple(prompt.LABEL_WORDS[label] for label in LABELS)

    def evidence(self, case: Case) -> str:
        """See :func:`vser_stream.core.reason.prompt.evidence`."""
        return prompt.evidence(case)

    def opening(self, case: Case, label: Label) -> str:
        """See :func:`vser_stream.core.reason.prompt.opening`."""
        return prompt.opening(case, label, self.language)

    def grammar(self, case: Case, label: Label) -> str:
        """See :func:`vser_stream.core.reason.grammar.grammar`.

        Raises:
            ReasonerError: The cues are all of one kind.
        """
        if not prompt.is_explainable(case, label):
            raise ReasonerError("the evidence is of one kind only; it is told as it is")
        return grammar.grammar(case, label, self.language)

    def finish(self, text: str, case: Case, _label: Label) -> str:
        """See :func:`vser_stream.core.reason.prompt.finish`."""
        return prompt.finish(text, case, self.language)


@dataclass(frozen=True, slots=True)
class General:
    """With any chat model."""

    chat: Chat

    @property
    def plain(self) -> bool:
        """Its template goes around what is said."""
        return False

    @property
    def prefix(self) -> str:
        """The task and the rules."""
        return self.chat.system

    @property
    def answer_start(self) -> str:
        """An open JSON object."""
        return self.chat.answer_start

    @property
    def words(self) -> tuple[str, ...]:
        """As they stand in the JSON object."""
        return tuple(label.value for label in LABELS)

    def evidence(self, case: Case) -> str:
        """See :meth:`vser_stream.core.reason.chat.Chat.evidence`."""
        return self.chat.evidence(case)

    def opening(self, _case: Case, label: Label) -> str:
        """The label, and the beginning of the rationale."""
        return self.chat.rationale_start(label)

    def grammar(self, case: Case, label: Label) -> str:
        """See :meth:`vser_stream.core.reason.chat.Chat.grammar`."""
        return self.chat.grammar(case, label)

    def finish(self, text: str, case: Case, label: Label) -> str:
        """Read the whole JSON object.

        Raises:
            ReasonerError: It is not what was asked for.
        """
        return self.chat.parse(self.answer_start + self.opening(case, label) + text)[1]
