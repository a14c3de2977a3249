"""The parts of the daemon, each made with what it needs; none knows one that knows it.

Below all are those who only note what others ask for: what the broker takes (:class:`Standing`), what it
refuses (:class:`Access`), whether commands can be heard (:class:`CommandLink`), and the spool, which keeps.
Listeners tell the spool; what is listened to on the broker asks listeners; delivery asks all of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.feedback import FeedbackFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.storage.state_folder import StateFolder
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.config.schema import Config, SourceConfig
from vser_stream.core.wire.documents import SiteStatus, status_message
from vser_stream.core.wire.numbering import Reporter
from vser_stream.ports import Clock
from vser_stream.runtime.build import Engine, features
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.connection import unique
from vser_stream.runtime.delivery.delivery import Delivery
from vser_stream.runtime.delivery.inbox import CommandLink, Inbox
from vser_stream.runtime.delivery.spool import Keeper
from vser_stream.runtime.delivery.standing import Standing
from vser_stream.runtime.reasoning.escalation import Escalation
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.runtime.remote.command_desk import CommandDesk
from vser_stream.runtime.remote.feedback import FeedbackKeeper
from vser_stream.runtime.remote.presence import SitePresence
from vser_stream.runtime.remote.subscriptions import Reception
from vser_stream.runtime.source.archive import KeptArchive
from vser_stream.runtime.source.audio_source import source_of
from vser_stream.runtime.source.capture import Capture
from vser_stream.runtime.source.documents import new_id
from vser_stream.runtime.source.listener import Listener
from vser_stream.runtime.source.parts import Shared, Source
from vser_stream.runtime.source.roster import Roster
from vser_stream.runtime.watch.delivery_observer import DeliveryNotes
from vser_stream.runtime.watch.shared_conditions import AgentConditions

__all__ = ["Assembly", "assemble"]


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """What an agent brings to life and ends."""

    features: str
    """Identity of those its model and baselines are of."""

    engine: Engine
    escalation: Escalation | None
    folder: StateFolder
    keeper: Keeper
    """All that is written in the state folder."""

    scorer: ThreadPoolExecutor
    """Where every source is scored."""

    metrics: Metrics
    conditions: AgentConditions
    announcements: Announcements
    roster: Roster
    inbox: Inbox
    presence: SitePresence
    delivery: Delivery


def assemble(config: Config, *, clock: Clock = SYSTEM_CLOCK) -> Assembly:
    """Load everything, so that a wrong model is an error before the first sample, and put it together.

    Raises:
        ConfigError: The model, the rules or the reasoner cannot be used.
    """
    identity, engine = features(), Engine.load(config, live=True)
    escalation = engine.escalation(clock=clock)
    folder = StateFolder(config.state_path)
    keeper = Keeper(
        SqliteOutbox(config.state_path / "outbox.db", claim=folder.claim, clock=clock), clock=clock
    )
    access, standing, link = Access(clock=clock), Standing(clock=clock), CommandLink(clock=clock)
    shared = Shared(
        store=keeper,
        archive=KeptArchive(keeper, features=identity),
        scorer=(scorer := ThreadPoolExecutor(1, thread_name_prefix="scorer")),
        conditions=(conditions := AgentConditions(keeper, standing, link, access=access, clock=clock)),
        publish=config.publish,
        metrics=(metrics := Metrics()),
        escalation=escalation,
        clock=clock,
    )
    announcements = Announcements(
        config.site, config.homeassistant, health_every=config.publish.health_every, store=keeper
    )
    roster = Roster(_Listeners(config, engine, shared).make, announcements=announcements)
    desk = CommandDesk(
        config.site,
        roster,
        feedback=FeedbackKeeper(FeedbackFile(config.state_path / "feedback.jsonl"), keeper.disk, clock=clock),
        reserved=[config.homeassistant.prefix.partition("/")[0]],
        clock=clock,
    )
    reception = Reception(config.site, roster, desk=desk, announcements=announcements, clock=clock)
    broker = _Broker(config, standing, unique(f"vser-{config.site}-commands"))
    inbox = Inbox(reception.topics, broker.for_commands, receiver=reception, access=access, link=link)
    presence = SitePresence(
        config.site,
        roster,
        announcements=announcements,
        inbox=inbox,
        store=keeper,
        heard_changed=shared.heard_changed,
    )
    delivery = Delivery(
        keeper,
        broker.for_alerts,
        standing=standing,
        presence=presence,
        observer=DeliveryNotes(access, inbox, metrics, clock=clock),
    )
    return Assembly(
        features=identity,
        engine=engine,
        escalation=escalation,
        folder=folder,
        keeper=keeper,
        scorer=scorer,
        metrics=metrics,
        conditions=conditions,
        announcements=announcements,
        roster=roster,
        inbox=inbox,
        presence=presence,
        delivery=delivery,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Listeners:
    """Makes them."""

    config: Config
    engine: Engine
    shared: Shared

    def make(self, source: SourceConfig) -> Listener:
        engine, clock = self.engine, self.shared.clock
        alarm = self.config.alarm_of(source)
        parts = Source(
            Capture(source.name, source_of(source), clock=clock),
            engine.pipeline(alarm, baby_cry=source.baby_cry),
            Reporter(site=self.config.site, source=source.name, versions=engine.versions, new_id=new_id),
        )
        return Listener(parts, self.shared)


@dataclass(frozen=True, slots=True, eq=False)
class _Broker:
    """Makes connections to it."""

    config: Config
    standing: Standing
    for_commands_id: str

    def for_alerts(self) -> MqttPublisher:
        """Under another client id while somebody else uses ours."""
        will = status_message(self.config.site, SiteStatus.OFFLINE, "will")
        ours = f"vser-{self.config.site}"
        client_id = unique(ours) if self.standing.thrown_out else ours
        return MqttPublisher(self.config.mqtt, client_id=client_id, will=will)

    def for_commands(self) -> MqttPublisher:
        """Under a client id of its own."""
        return MqttPublisher(self.config.mqtt, client_id=self.for_commands_id)
