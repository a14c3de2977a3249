"""The configuration file: one TOML document, one frozen model for each stage.

Everything but ``site``, ``[mqtt]`` and ``[[sources]]`` has a safe default. Relative paths are
taken from the folder of the file.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from vser_stream.errors import ConfigError

__all__ = [
    "AlarmConfig",
    "AngryConfig",
    "Config",
    "LevelConfig",
    "MqttConfig",
    "PanicConfig",
    "PublishConfig",
    "ReasonerConfig",
    "RouteConfig",
    "SegmentConfig",
    "SourceConfig",
    "load",
    "shipped_model",
]

SHIPPED_MODEL = "calm-angry-panic"


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, path.expanduser())


ConfigPath = Annotated[Path, AfterValidator(_from_config_folder)]
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""A level of an MQTT topic."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A table of the file: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MqttConfig(Section):
    """Where alerts go."""

    host: str = Field(min_length=1)
    port: int = Field(1883, gt=0, lt=65536)
    username: str | None = None
    password_file: ConfigPath | None = Field(None, description="First line is the password.")
    tls: bool = False
    ca_file: ConfigPath | None = None
    cert_file: ConfigPath | None = None
    key_file: ConfigPath | None = None
    keepalive: int = Field(15, ge=5, le=300, description="s; a frozen broker is noticed within twice this")
    timeout: Seconds = Field(3.0, description="s to wait for an acknowledgement")

    @model_validator(mode="after")
    def _password_needs_user(self) -> Self:
        if self.password_file and not self.username:
            raise ValueError("password_file needs username beside it")
        return self


class SourceConfig(Section):
    """One microphone, camera or recording: exactly one of ``url``, ``device``, ``file``."""

    name: Token
    url: str | None = Field(None, pattern=r"^rtsps?://", description="camera, audio track only")
    device: str | None = Field(None, min_length=1, description="microphone, by name; see vser-stream devices")
    file: ConfigPath | None = Field(None, description="recording, played once in real time")
    transport: Literal["tcp", "udp"] = "tcp"
    username: str | None = None
    password_file: ConfigPath | None = Field(None, description="First line is the camera's password.")

    @model_validator(mode="after")
    def _exactly_one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.url, self.device, self.file)) != 1:
            raise ValueError(f"source {self.name!r} needs exactly one of url, device, file")
        return self


class SegmentConfig(Section):
    """When speech begins, is looked at, and ends."""

    above_floor_db: float = Field(4.0, ge=0, description="dB over the noise floor that speech must have")
    preroll: Seconds = Field(0.3, description="s kept from before the onset")
    hangover: Seconds = Field(0.3, description="s of silence that close an utterance")
    first_window: Seconds = Field(1.0, description="s of speech before it is first scored")
    window_step: Seconds = Field(0.5, description="s of speech between two scores")
    longest: Seconds = Field(8.0, description="s at which an utterance is cut")


class RouteConfig(Section):
    """Which decisions are ambiguous."""

    escalate_below: Share | None = Field(
        None,
        description="confidence under which an utterance is escalated; default: the model's own threshold",
    )


class ReasonerConfig(Section):
    """Who judges the ambiguous."""

    backend: Literal["bundled", "gguf", "server", "none"] = "none"


class LevelConfig(Section):
    """When one alarm level begins and ends."""

    votes: int = Field(ge=1, description="utterances for this level or a higher one ...")
    of: int = Field(ge=1, description="... among this many of the latest")
    within: Seconds = Field(description="s in which they must fall")
    at_least: Share = Field(description="probability that makes a decision a vote")
    fast: Share = Field(description="probability at which one decision is enough")
    hold: Seconds = Field(description="s without a vote before the condition is cleared")
    refractory: float = Field(
        ge=0, description="s after clearing in which the same level is not raised again"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.votes > self.of:
            raise ValueError(f"votes = {self.votes} can never be reached among of = {self.of}")
        return self


class PanicConfig(LevelConfig):
    """Panic: quick, and held long."""

    votes: int = Field(2, ge=1)
    of: int = Field(3, ge=1)
    within: Seconds = 10.0
    # On composed homes recall is flat from 0.5 to 0.75 while false alarms fall to a third
    # (vser-stream evaluate --scenes).
    at_least: Share = 0.72
    fast: Share = 0.96
    hold: Seconds = 60.0
    refractory: float = Field(0.0, ge=0)


class AngryConfig(LevelConfig):
    """Anger: only when it lasts."""

    votes: int = Field(3, ge=1)
    of: int = Field(5, ge=1)
    within: Seconds = 20.0
    at_least: Share = 0.5
    fast: Share = 1.0
    hold: Seconds = 30.0
    refractory: float = Field(60.0, ge=0)


class AlarmConfig(Section):
    """When a source raises an alarm."""

    panic: PanicConfig = PanicConfig()
    angry: AngryConfig = AngryConfig()


class PublishConfig(Section):
    """What is published besides alerts."""

    utterances: bool = Field(default=False, description="each scored utterance on its own topic")
    health_every: Seconds = Field(30.0, description="s between two health messages of a source")


class Config(Section):
    """The whole file."""

    site: Token
    mqtt: MqttConfig
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    model: ConfigPath | None = Field(None, description="model folder; default: the shipped model")
    state_dir: ConfigPath | None = Field(
        None, description="outbox and baselines; default: $STATE_DIRECTORY, else ~/.local/state/vser-stream"
    )
    segment: SegmentConfig = SegmentConfig()
    route: RouteConfig = RouteConfig()
    reasoner: ReasonerConfig = ReasonerConfig()
    alarm: AlarmConfig = AlarmConfig()
    publish: PublishConfig = PublishConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [source.name for source in self.sources]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two sources are named {min(twice)!r}")
        return self

    @property
    def model_dir(self) -> Path:
        """Folder of the model to load."""
        return self.model or shipped_model()

    @property
    def state_path(self) -> Path:
        """Folder of everything that must survive a restart."""
        if self.state_dir:
            return self.state_dir
        if by_systemd := os.environ.get("STATE_DIRECTORY"):
            return Path(by_systemd.split(":")[0])
        home = os.environ.get("XDG_STATE_HOME")
        return Path(home or Path.home() / ".local/state") / "vser-stream"


def shipped_model() -> Path:
    """Folder of the model that came with this installation."""
    checkout = Path(__file__).parent.parent / "models"
    installed = Path(sys.prefix, "share/vser-stream/models")
    return (checkout if checkout.is_dir() else installed) / SHIPPED_MODEL


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: The file is missing, is no TOML, or has a wrong or unknown key.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return Config.model_validate(document, context={"folder": path.parent})
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: not a TOML file: {exc}") from exc
    except ValidationError as exc:
        raise ConfigError(f"{path}: " + "; ".join(_in_words(exc))) from exc


def _in_words(exc: ValidationError) -> Iterable[str]:
    errors = exc.errors(include_url=False, include_input=False)
    for error in errors:
        if error["type"] == "too_short" and any(
            other["loc"][:1] == error["loc"] for other in errors if other is not error
        ):
            continue  # a source that failed its own check is not counted by pydantic
        key = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            yield f"unknown key {key!r}{_nearest(error['loc'])}"
        elif error["type"] == "missing":
            yield f"key {key!r} is missing"
        else:
            message = error["msg"].removeprefix("Value error, ")
            yield f"{key}: {message}" if key else message


def _nearest(loc: tuple[int | str, ...]) -> str:
    model: Any = Config
    for part in loc[:-1]:
        if isinstance(part, str):
            model = _section(model.model_fields[part].annotation)
    near = difflib.get_close_matches(str(loc[-1]), model.model_fields, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(model.model_fields)}"


def _section(annotation: Any) -> Any:
    """The model inside ``tuple[Model, ...]``, or the model itself."""
    return next(iter(get_args(annotation)), annotation)
