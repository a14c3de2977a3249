"""Books of human rules on the disk, and the one that is in force."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vser_stream.config.schema import PipelineConfig
from vser_stream.core.reason.language import Language
from vser_stream.core.reason.lint import problems
from vser_stream.core.reason.rules import Condition, Rule, RuleBook, Seen, Texts, nearest
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import RuleError
from vser_stream.files import read_text

__all__ = ["RuleShelf", "load", "read", "shelf_of"]

_log = logging.getLogger(__name__)

_INSIDE: dict[int | str, type[BaseModel]] = {
    "rules": Rule,
    "text": Texts,
    "when": Condition,
    "fires": Seen,
    "silent": Seen,
}
"""What a key of the file holds."""


def read(path: Path) -> RuleBook:
    """Read a book of rules as it is written.

    Raises:
        RuleError: The file is missing, is no TOML, or a rule has a wrong or unknown key, cue or text.
    """
    try:
        document = tomllib.loads(read_text(path))
        return RuleBook.model_validate(document)
    except OSError as exc:
        raise RuleError(f"{path}: cannot be read ({exc.strerror}); give a file of rules") from exc
    except ValidationError as exc:
        raise RuleError(f"{path}: " + "; ".join(_in_words(exc, document))) from exc
    except (ValueError, RecursionError) as exc:  # RecursionError: of a thousand brackets
        raise RuleError(f"{path}: not a TOML file: {' '.join(str(exc).split())[:200]}") from exc


def load(path: Path) -> RuleBook:
    """Read a book of rules that can be used.

    Raises:
        RuleError: As :func:`read`; or its rules contradict or repeat each other, or can never fire.
    """
    book = read(path)
    if found := problems(book):
        raise RuleError(f"{path}: " + "; ".join(found))
    return book


class RuleShelf:
    """The book in force; a new edition replaces it only when it can be used.

    Args:
        path: The file of rules.
        language: What rationales are written in.

    Raises:
        RuleError: It cannot be used.
    """

    def __init__(self, path: Path, *, language: Language = Language.EN) -> None:
        self._path, self._language = path, language
        self.book = load(path)

    def writer(self) -> Writer:
        """Return who puts evidence into words under the book in force."""
        return Writer(self.book, self._language)

    def reload(self) -> bool:
        """Read the file again; return whether another book is in force now."""
        try:
            book = load(self._path)
        except RuleError as exc:
            _log.error("rules not reloaded, the previous ones stay in force: error=%s", exc)
            return False
        changed = book.digest != self.book.digest
        self.book = book
        _log.info("rules loaded: name=%s version=%s changed=%s", book.name, book.version, changed)
        return changed


def shelf_of(config: PipelineConfig) -> RuleShelf:
    """Return the book in force under a configuration.

    Raises:
        RuleError: It cannot be used.
    """
    return RuleShelf(config.rules_path, language=config.reasoner.language)


def _in_words(exc: ValidationError, document: dict[str, Any]) -> Iterator[str]:
    for error in exc.errors(include_url=False, include_input=False):
        where, key = _place(error["loc"], document)
        if error["type"] == "extra_forbidden":
            holder = next(
                (_INSIDE[part] for part in reversed(error["loc"][:-1]) if part in _INSIDE), RuleBook
            )
            yield f"{where}unknown key {key!r}; {nearest(key.rsplit('.')[-1], holder.model_fields)}"
        elif error["type"] == "missing":
            yield f"{where}key {key!r} is missing"
        else:
            message = error["msg"].removeprefix("Value error, ")
            yield f"{where}{key}: {message}" if key else f"{where}{message}"


def _place(loc: tuple[int | str, ...], document: dict[str, Any]) -> tuple[str, str]:
    """Name the rule an error is in, and the key inside it."""
    if len(loc) > 1 and loc[0] == "rules":
        rule = document["rules"][loc[1]]
        name = rule.get("id") if isinstance(rule, dict) else None
        return f"rule {name or int(loc[1]) + 1}: ", _key(loc[2:])
    return "", _key(loc)


def _key(loc: tuple[int | str, ...]) -> str:
    """``when.0.cue`` as people count: ``when[1].cue``."""
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc)
    return "".join(parts).removeprefix(".")
