"""The configuration file: one TOML document, one frozen model for each stage.

Everything but ``site``, ``[mqtt]`` and ``[[sources]]`` has a safe default. Relative paths are
taken from the folder of the file; ``$NAME`` in a path is the environment's, such as
``$CREDENTIALS_DIRECTORY``.
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
    "HomeAssistantConfig",
    "HttpConfig",
    "LevelConfig",
    "MqttConfig",
    "PanicConfig",
    "PrivacyConfig",
    "PublishConfig",
    "ReasonerConfig",
    "RouteConfig",
    "SegmentConfig",
    "SourceConfig",
    "cache_folder",
    "load",
    "shipped_model",
    "shipped_reasoner",
    "shipped_rules",
    "state_folder",
]

SHIPPED_MODEL = "calm-angry-panic"

INSTALLED = Path("/etc/vser-stream/vser.toml")
"""Where deploy/install.sh puts the configuration of the service."""

SERVICE_STATE = Path("/var/lib/vser-stream")
"""What systemd gives the service as $STATE_DIRECTORY."""


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    if path.parts[:1] == ("$CREDENTIALS_DIRECTORY",) and "CREDENTIALS_DIRECTORY" not in os.environ:
        # That is for the service alone; systemd takes it from here.
        return Path(folder, "credentials", *path.parts[1:])
    # systemd leaves passwords in a folder it names in the environment.
    return Path(folder, os.path.expandvars(path.expanduser()))


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
    keepalive: int = Field(8, ge=5, le=300, description="s; a frozen broker is noticed within twice this")
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

    backend: Literal["bundled", "gguf", "server", "none"] = Field(
        "bundled", description="the model that came with us, a file, an OpenAI-compatible server, or nobody"
    )
    model: ConfigPath | None = Field(None, description="gguf: the file; server and bundled have their own")
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$", description="of the gguf file")
    threads: int = Field(1, ge=1, le=64, description="for a model on this box")
    url: str | None = Field(None, pattern=r"^https?://", description="server: up to and with /v1")
    server_model: str = Field("default", min_length=1, description="server: name of the model there")
    api_key_file: ConfigPath | None = Field(None, description="First line is the server's key.")
    egress: Literal["none", "lan", "any"] = Field(
        "none", description="how far away the server may be; only figures are ever sent, never audio"
    )
    deadline: Seconds = Field(2.5, le=60, description="s from the end of speech; then the SVM has decided")
    calls_per_hour: int = Field(600, ge=1, description="further ambiguous utterances are left to the SVM")
    queue: int = Field(8, ge=1, le=1000, description="utterances that may wait, the most urgent first")
    rules: ConfigPath | None = Field(None, description="book of human rules; default: the shipped one")
    language: Literal["en", "vi"] = Field("en", description="of every rationale")

    @model_validator(mode="after")
    def _backend_is_complete(self) -> Self:
        if self.backend == "gguf" and (self.model is None or self.sha256 is None):
            raise ValueError('backend = "gguf" needs model and sha256 beside it')
        if self.backend == "server" and self.url is None:
            raise ValueError('backend = "server" needs url beside it')
        return self


class LevelConfig(Section):
    """When one alarm level begins and ends."""

    # Below half a false alarm of each level an hour on composed homes (vser-stream evaluate --scenes),
    # chosen on other homes than those in the model card.
    distress: float = Field(
        5.6,
        gt=0,
        allow_inf_nan=False,
        description="how much evidence of distress raises it; lower is more sensitive. Each utterance adds"
        " log-odds(not calm) - log-odds(at_least), times the square roots of its length (s) and of the share"
        " of this level or a higher one in what is not calm",
    )
    # As good there as 10 s, where events last some seconds; with 10 s a voice that goes on for minutes
    # at 0.9 would never be enough.
    half_life: Seconds = Field(20.0, description="s after which evidence counts half")
    at_least: float = Field(
        0.82,
        ge=0.5,
        lt=1,
        description="probability of not being calm above which an utterance adds evidence, below which it"
        " takes away; the latest must reach it",
    )
    fast: Share = Field(
        description="probability of this level or a higher one at which one utterance of it is enough"
    )
    hold: Seconds = Field(description="s without an utterance of this level before it is over")
    refractory: float = Field(
        ge=0, description="s after clearing in which the same level is not raised again"
    )
    hysteresis: Share = Field(
        0.15, description="how far under at_least an utterance of this level still keeps it up"
    )
    latching: bool = Field(description="a condition that is over stays signalled until acknowledged")
    escalate_after: tuple[Seconds, ...] = Field(
        description="s without acknowledgement after which each next step is told"
    )
    enabled: bool = Field(default=True, description="false is ALARM OFF: never raised, told as suppressed")

    @model_validator(mode="after")
    def _step_by_step(self) -> Self:
        if list(self.escalate_after) != sorted(set(self.escalate_after)):
            raise ValueError("escalate_after must grow from step to step")
        return self


class PanicConfig(LevelConfig):
    """Panic: held long, latched."""

    fast: Share = 0.99
    hold: Seconds = 60.0
    refractory: float = Field(0.0, ge=0)
    latching: bool = True
    escalate_after: tuple[Seconds, ...] = (30.0, 120.0)


class AngryConfig(LevelConfig):
    """Anger: any distress, quickly over, never latched."""

    fast: Share = 1.0
    hold: Seconds = 30.0
    refractory: float = Field(60.0, ge=0)
    latching: bool = False
    escalate_after: tuple[Seconds, ...] = ()


class AlarmConfig(Section):
    """When a source raises an alarm."""

    panic: PanicConfig = PanicConfig()
    angry: AngryConfig = AngryConfig()
    acknowledge_for: Seconds = Field(
        300.0, description="s an acknowledgement lasts while the condition is present"
    )
    longest_pause: Seconds = Field(3600.0, description="s; a longer pause is cut to it")
    remind_every: Seconds = Field(
        900.0, description="s between reminders of an unacknowledged alarm after the last step"
    )

    @property
    def unattended(self) -> AlarmConfig:
        """The same where nobody is there to acknowledge: nothing latches, nobody is reminded."""
        alone = {"latching": False, "escalate_after": ()}
        return self.model_copy(
            update={
                "panic": self.panic.model_copy(update=alone),
                "angry": self.angry.model_copy(update=alone),
            }
        )


class PublishConfig(Section):
    """What is published besides alerts."""

    utterances: bool = Field(default=False, description="each scored utterance on its own topic")
    health_every: Seconds = Field(30.0, description="s between two health messages of a source")


class HomeAssistantConfig(Section):
    """Home Assistant finds the site by itself, where it shares the broker."""

    enabled: bool = Field(default=True, description="publish the discovery document")
    prefix: str = Field("homeassistant", pattern=r"^[A-Za-z0-9_/-]{1,64}$", description="as set there")


class HttpConfig(Section):
    """Metrics and health for whoever watches over this box; see README."""

    port: int | None = Field(None, gt=0, lt=65536, description="default: no server")
    host: str = Field("127.0.0.1", description="anybody who reaches it may read; nothing can be changed")


class PrivacyConfig(Section):
    """What is kept on this box, and for how long; audio never is."""

    evidence_days: float = Field(
        30.0, gt=0, le=3650, description="d for which the figures behind each alert are kept"
    )


class Config(Section):
    """The whole file."""

    site: Token
    mqtt: MqttConfig
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    model: ConfigPath | None = Field(None, description="model folder; default: the shipped model")
    state_dir: ConfigPath | None = Field(
        None,
        description="outbox and baselines; default: $STATE_DIRECTORY, for the installed configuration"
        " /var/lib/vser-stream, else ~/.local/state/vser-stream",
    )
    segment: SegmentConfig = SegmentConfig()
    route: RouteConfig = RouteConfig()
    reasoner: ReasonerConfig = ReasonerConfig()
    alarm: AlarmConfig = AlarmConfig()
    publish: PublishConfig = PublishConfig()
    homeassistant: HomeAssistantConfig = HomeAssistantConfig()
    http: HttpConfig = HttpConfig()
    privacy: PrivacyConfig = PrivacyConfig()

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
    def rules_path(self) -> Path:
        """The book of human rules in force."""
        return self.reasoner.rules or shipped_rules()

    @property
    def state_path(self) -> Path:
        """Folder of everything that must survive a restart."""
        return self.state_dir or state_folder()


def state_folder() -> Path:
    """Where everything that must survive a restart goes, unless it is told otherwise."""
    if by_systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(by_systemd.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return Path(home or Path.home() / ".local/state") / "vser-stream"


def cache_folder() -> Path:
    """Where training keeps what it can compute again, unless it is told otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "vser-stream")


def shipped_model() -> Path:
    """Folder of the model that came with this installation."""
    return _shipped("models") / SHIPPED_MODEL


def shipped_reasoner() -> Path:
    """Folder of the language model that came with this installation; some have none."""
    return _shipped("models") / f"reasoner-{SHIPPED_MODEL}"


def shipped_rules() -> Path:
    """The book of human rules that came with this installation."""
    return _shipped("rules") / f"{SHIPPED_MODEL}.toml"


def _shipped(kind: str) -> Path:
    checkout = Path(__file__).parent.parent / kind
    installed = Path(sys.prefix, "share/vser-stream", kind)
    return checkout if checkout.is_dir() else installed


def load(path: Path) -> Config:
    """Read and check a configuration file.

    From anybody's shell the installed one means what it means to the service.

    Raises:
        ConfigError: The file is missing, is no TOML, or has a wrong or unknown key.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        config = Config.model_validate(document, context={"folder": path.parent})
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: not a TOML file: {exc}") from exc
    except ValidationError as exc:
        raise ConfigError(f"{path}: " + "; ".join(_in_words(exc))) from exc
    if config.state_dir is None and "STATE_DIRECTORY" not in os.environ and path.resolve() == INSTALLED:
        return config.model_copy(update={"state_dir": SERVICE_STATE})
    return config


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
