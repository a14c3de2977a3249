"""The reasoner of a configuration."""

from __future__ import annotations

import contextlib
import logging
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from vser_stream.adapters.models.http_json import ServerAddress
from vser_stream.adapters.models.llama import LlamaReasoner, Weights
from vser_stream.adapters.models.manifest import MANIFEST, check_sums
from vser_stream.adapters.models.openai_server import OpenAiServer
from vser_stream.config.locations import shipped_reasoner
from vser_stream.config.schema import ReasonerConfig
from vser_stream.core.reason import prompt
from vser_stream.core.reason.chat import Chat
from vser_stream.core.reason.dialogue import General, Specialist
from vser_stream.core.reason.writer import Writer
from vser_stream.errors import ModelError
from vser_stream.files import read_text
from vser_stream.runtime.reasoning.escalation import Standby

__all__ = ["bundled_weights", "reasoner_of", "standing_by"]

_log = logging.getLogger(__name__)


def reasoner_of(config: ReasonerConfig, writer: Callable[[], Writer]) -> Standby | None:
    """Return the reasoner that is asked for; None if nobody is, or what came with us is not there.

    Args:
        config: The table ``[reasoner]``.
        writer: Has the rules and the language of now.

    Raises:
        ConfigError: It can never be used as it is configured.
    """

    def chat() -> Chat:
        now = writer()
        return Chat(now.book, now.language)

    match config.backend:
        case "bundled":
            return _bundled(shipped_reasoner(), writer, threads=config.threads)
        case "gguf" if config.model is not None:
            weights = Weights(config.model, config.sha256)
            return LlamaReasoner(weights, lambda: General(chat()), threads=config.threads)
        case "server" if config.url is not None:
            address = ServerAddress(
                config.url, model=config.server_model, egress=config.egress, key_file=config.api_key_file
            )
            return OpenAiServer(address, chat)
        case _:
            return None


@contextlib.contextmanager
def standing_by(reasoner: Standby | None) -> Iterator[None]:
    """Get a reasoner ready to be asked, and let go of it in the end; None needs neither.

    Raises:
        ConfigError: It can never be used as it is configured.
        ReasonerError: It does not answer.
    """
    if reasoner is None:
        yield
        return
    try:
        reasoner.prepare()
        yield
    finally:
        reasoner.close()


def bundled_weights(folder: Path) -> Weights:
    """Return the model of a folder, if it answers the prompt of this build.

    Raises:
        ModelError: Its manifest cannot be read, or it was trained for another prompt.
    """
    path = folder / MANIFEST
    try:
        text = read_text(path)
        manifest = tomllib.loads(text)
        name = f"{manifest['name']}@{manifest['version']}"
        sha256, trained_for = str(manifest["sha256"]["model.gguf"]), manifest["prompt"]
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror}); copy the whole folder again") from exc
    except (ValueError, RecursionError, KeyError, TypeError) as exc:
        raise ModelError(f"{path}: is no manifest of a reasoner; copy the whole folder again") from exc
    if trained_for != prompt.digest():
        raise ModelError(f"{path}: was trained for another prompt; train it again or install its release")
    check_sums(folder, text.encode())
    return Weights(folder / "model.gguf", sha256, name)


def _bundled(folder: Path, writer: Callable[[], Writer], *, threads: int) -> Standby | None:
    if find_spec("llama_cpp") is None:
        _log.warning("reasoner unavailable, falling back to the SVM: install vser-stream[llm]")
        return None
    if not folder.is_dir():
        _log.warning("reasoner unavailable, falling back to the SVM: this release ships none")
        return None
    try:
        return LlamaReasoner(bundled_weights(folder), lambda: Specialist(writer().language), threads=threads)
    except ModelError as exc:
        # The default, asked for by nobody: a damaged one may not keep a box from listening.
        _log.error("reasoner unavailable, falling back to the SVM: %s", exc)
        return None
