"""The configuration file: one TOML document, one frozen model for each stage.

Everything but ``site``, ``[mqtt]`` and ``[[sources]]`` has a safe default. Relative paths are
taken from the folder of the file; ``$NAME`` in a path is the environment's, such as
``$CREDENTIALS_DIRECTORY``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vser_stream.config.fields import (
    CAMERA_URL,
    CameraUrl,
    FilePath,
    FolderPath,
    Host,
    Number,
    Port,
    ServerUrl,
    Share,
    Text,
    Token,
    Topic,
)
from vser_stream.config.locations import shipped_model, shipped_rules, state_folder

__all__ = [
    "LONGEST_PAUSE",
    "AlarmConfig",
    "AngryConfig",
    "Backend",
    "Config",
    "Egress",
    "HomeAssistantConfig",
    "HttpConfig",
    "Language",
    "LevelConfig",
    "MqttConfig",
    "PanicConfig",
    "PipelineConfig",
    "PrivacyConfig",
    "PublishConfig",
    "ReasonerConfig",
    "RouteConfig",
    "SegmentConfig",
    "SourceConfig",
    "Transport",
]

LONGEST_PAUSE = 14_400.0
"""A pause nobody remembers is a monitor switched off (s)."""


class Section(BaseModel):
    """A table of the file: closed, frozen, and no text stands for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


FIRST_LINE = "Its first line is the secret, in UTF-8, without the line end; read again at each login."

Hold = Annotated[Number, Field(ge=1, le=86_400)]
Refractory = Annotated[Number, Field(ge=0, le=86_400)]
Steps = Annotated[tuple[Hold, ...], Field(max_length=16, strict=False)]
"""Times of an alarm level (s)."""

PerDay = Annotated[Number, Field(ge=0.01, le=1000)]
"""False alarms (1/d)."""


Transport = Literal["tcp", "udp"]
"""How a camera sends its audio."""

Backend = Literal["bundled", "gguf", "server", "none"]
"""Where the reasoner is: the model that came with us, a file, a server, or there is none."""

Egress = Literal["none", "lan", "any"]
"""How far away a server may be: this box, a private network, anywhere."""


class Language(StrEnum):
    """What a rationale is written in."""

    EN = "en"
    VI = "vi"


class MqttConfig(Section):
    """Where alerts go."""

    host: Host
    port: Port = 1883
    username: Text | None = None
    password_file: FilePath | None = Field(None, description=FIRST_LINE)
    tls: bool = False
    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    keepalive: int = Field(8, ge=5, le=300, description="s; a frozen broker is noticed within twice this")
    timeout: Number = Field(3.0, ge=0.1, le=60, description="s to wait for an acknowledgement")

    @model_validator(mode="after")
    def _password_needs_user(self) -> Self:
        if self.password_file and not self.username:
            raise ValueError("password_file needs username beside it")
        return self


class SourceConfig(Section):
    """One microphone, camera or recording: exactly one of ``url``, ``device``, ``file``."""

    name: Token
    url: CameraUrl | None = Field(None, description="camera, audio track only")
    device: Text | None = Field(None, description="microphone, by name; see vser-stream devices")
    file: FilePath | None = Field(None, description="recording, played once in real time")
    transport: Transport = "tcp"
    username: Text | None = None
    password_file: FilePath | None = Field(None, description=FIRST_LINE)
    false_alarms_per_day: PerDay | None = Field(
        None, description="as in [alarm], for this source; default: what stands there"
    )
    baby_cry: bool = Field(
        default=False,
        description="report a baby that goes on crying as the technical condition baby_cry (low priority)",
    )

    @model_validator(mode="after")
    def _exactly_one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.url, self.device, self.file)) != 1:
            raise ValueError("needs exactly one of url, device, file")
        return self

    @model_validator(mode="after")
    def _password_is_encoded(self) -> Self:
        # Else a piece of it is taken for the host, shown, and looked up.
        found = CAMERA_URL.fullmatch(self.url or "")
        if found and "@" in found["rest"] and self.username is None:
            raise ValueError(
                "url: a password with / ? # or @ goes to password_file, and its user to username"
            )
        return self


class SegmentConfig(Section):
    """When speech begins, is looked at, and ends."""

    above_floor_db: Number = Field(
        4.0, ge=0, le=60, description="dB over the noise floor that speech must have"
    )
    preroll: Number = Field(0.3, ge=0.01, le=5, description="s of audio included before the onset")
    hangover: Number = Field(0.3, ge=0.05, le=5, description="s of silence that close an utterance")
    first_window: Number = Field(1.0, ge=0.25, le=30, description="s of speech before it is first scored")
    window_step: Number = Field(0.5, ge=0.25, le=30, description="s of speech between two scores")
    longest: Number = Field(8.0, ge=1, le=30, description="s at which an utterance is cut")


class SecondLookConfig(Section):
    """Whether a network hears the sound itself, where the first judge is not sure that it is calm."""

    enabled: bool = Field(default=True, description="false saves 40 MB of memory")
    within: Number = Field(0.06, ge=0.001, le=60, description="s that an alarm waits for it at most")


class RouteConfig(Section):
    """Which decisions are ambiguous."""

    escalate_below: Share | None = Field(
        None,
        description="confidence under which an utterance is escalated; default: the model's own threshold",
    )


class ReasonerConfig(Section):
    """Who judges the ambiguous."""

    backend: Backend = Field(
        "bundled", description="the shipped model, a file, an OpenAI-compatible server, or none"
    )
    model: FilePath | None = Field(None, description="gguf: the file; server and bundled have their own")
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$", description="of the gguf file")
    threads: int = Field(1, ge=1, le=64, description="for a model on this box")
    url: ServerUrl | None = Field(None, description="server: up to and with /v1")
    server_model: Text = Field("default", description="server: name of the model there")
    api_key_file: FilePath | None = Field(None, description=FIRST_LINE)
    egress: Egress = Field(
        "none",
        description="how far away the server may be: this box, a private network (no link-local address),"
        " anywhere; only figures are ever sent, never audio",
    )
    deadline: Number = Field(
        2.5, ge=0.1, le=60, description="s from the end of speech to a fallback to the SVM"
    )
    calls_per_hour: int = Field(
        600, ge=1, le=100_000, description="further low-confidence utterances are decided by the SVM"
    )
    queue: int = Field(8, ge=1, le=1000, description="utterances that may wait, the most urgent first")
    rules: FilePath | None = Field(None, description="book of human rules; default: the shipped one")
    language: Language = Field(Language.EN, strict=False, description="of every rationale")

    @model_validator(mode="after")
    def _backend_is_complete(self) -> Self:
        if self.backend == "gguf" and (self.model is None or self.sha256 is None):
            raise ValueError('backend = "gguf" needs model and sha256 beside it')
        if self.backend == "server" and self.url is None:
            raise ValueError('backend = "server" needs url beside it')
        return self

    @property
    def is_wanted(self) -> bool:
        """Whether anybody is to be asked."""
        return self.backend != "none"


class LevelConfig(Section):
    """When one alarm level begins and ends."""

    # Below half a false panic alarm an hour in composed homes of unheard people and sounds
    # (vser-stream evaluate --scenes), chosen on other homes than those in the model card.
    distress: Number = Field(
        3.0,
        ge=0.1,
        le=1000,
        description="how much evidence of distress raises it; lower is more sensitive. Default: what"
        " false_alarms_per_day asks for by the model's curve, this where it has none. Each utterance adds"
        " log-odds(not calm) - log-odds(at_least), times the square roots of its length (s) and of the share"
        " of this level or a higher one in what is not calm",
    )
    # As good there as 10 s, where events last some seconds; with 10 s a voice that goes on for minutes
    # at 0.9 would never be enough.
    half_life: Number = Field(
        20.0, ge=0.1, le=86_400, description="s after which accumulated distress has halved"
    )
    at_least: Number = Field(
        0.85,
        ge=0.5,
        lt=1,
        description="probability of not being calm above which an utterance adds evidence, below which it"
        " takes away; the latest must reach it",
    )
    fast: Share = Field(
        description="probability of this level or a higher one at which one utterance of it is enough;"
        " default: as for distress"
    )
    hold: Hold = Field(description="s without an utterance of this level before it is over")
    refractory: Refractory = Field(description="s after clearing in which the same level is not raised again")
    hysteresis: Share = Field(
        0.15, description="how far under at_least an utterance of this level still keeps it up"
    )
    latching: bool = Field(description="a condition that is over remains signalled until acknowledged")
    escalate_after: Steps = Field(
        description="s without acknowledgement after which the alarm is re-notified, step by step"
    )
    enabled: bool = Field(
        default=True, description="false is ALARM OFF: never raised, published as suppressed"
    )

    @model_validator(mode="after")
    def _step_by_step(self) -> Self:
        if list(self.escalate_after) != sorted(set(self.escalate_after)):
            raise ValueError("escalate_after must grow from step to step")
        return self


class PanicConfig(LevelConfig):
    """Panic: held long, latched."""

    fast: Share = 0.97
    hold: Hold = 60.0
    refractory: Refractory = 0.0
    latching: bool = True
    escalate_after: Steps = (30.0, 120.0)


class AngryConfig(LevelConfig):
    """Anger: any distress, quickly over, never latched."""

    fast: Share = 1.0
    hold: Hold = 30.0
    refractory: Refractory = 60.0
    latching: bool = False
    escalate_after: Steps = ()


class AlarmConfig(Section):
    """When a source raises an alarm."""

    false_alarms_per_day: PerDay = Field(
        2.0,
        description="tolerable false alarms of panic a day, and as many of anger; the fewer, the more true"
        " ones are late or missed. It sets distress and fast where they are not set themselves,"
        " if the model has a table of what thresholds cost",
    )
    panic: PanicConfig = PanicConfig()
    angry: AngryConfig = AngryConfig()
    acknowledge_for: Number = Field(
        300.0, ge=1, le=86_400, description="s an acknowledgement lasts while the condition is present"
    )
    longest_pause: Number = Field(
        3600.0, ge=1, le=LONGEST_PAUSE, description="s; a longer pause is cut to it"
    )
    remind_every: Number = Field(
        900.0,
        ge=1,
        le=86_400,
        description="s between reminders of an unacknowledged alarm after the last step",
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
    health_every: Number = Field(30.0, ge=1, le=3600, description="s between two health messages of a source")


class HomeAssistantConfig(Section):
    """Home Assistant finds the site by itself, where it shares the broker."""

    enabled: bool = Field(default=True, description="publish the discovery document")
    prefix: Topic = Field("homeassistant", description="as set there")


class HttpConfig(Section):
    """Metrics and health for whoever watches over this box; see README."""

    port: Port | None = Field(None, description="default: no server")
    host: Host = Field("127.0.0.1", description="address to listen on; read-only, no authentication")
    names: Annotated[tuple[Host, ...], Field(max_length=16, strict=False)] = Field(
        (), description="under which it answers, besides IP addresses and this box's own"
    )


class PrivacyConfig(Section):
    """What is kept on this box, and for how long; audio never is."""

    evidence_days: Number = Field(30.0, ge=0.04, le=3650, description="d for which audit records are stored")


class PipelineConfig(Section):
    """What makes decisions and alarms of audio: all that judges a recording as it would be judged live."""

    model: FolderPath | None = Field(None, description="model folder; default: the shipped model")
    segment: SegmentConfig = SegmentConfig()
    second_look: SecondLookConfig = SecondLookConfig()
    route: RouteConfig = RouteConfig()
    reasoner: ReasonerConfig = ReasonerConfig()
    alarm: AlarmConfig = AlarmConfig()

    @property
    def model_dir(self) -> Path:
        """Folder of the model to load."""
        return self.model or shipped_model()

    @property
    def rules_path(self) -> Path:
        """The book of human rules in force."""
        return self.reasoner.rules or shipped_rules()


class Config(PipelineConfig):
    """The whole file."""

    site: Token
    mqtt: MqttConfig
    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1, max_length=256, strict=False)]
    state_dir: FolderPath | None = Field(
        None,
        description="outbox and baselines; default: $STATE_DIRECTORY, for the installed configuration"
        " /var/lib/vser-stream, else ~/.local/state/vser-stream",
    )
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

    def alarm_of(self, source: SourceConfig) -> AlarmConfig:
        """When that source raises an alarm."""
        if source.false_alarms_per_day is None:
            return self.alarm
        return self.alarm.model_copy(update={"false_alarms_per_day": source.false_alarms_per_day})

    @property
    def state_path(self) -> Path:
        """Folder of everything that must survive a restart."""
        return self.state_dir or state_folder()
