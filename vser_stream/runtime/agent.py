"""The daemon: every source, one outbox, one broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from vser_stream import __version__
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.mqtt.client import MqttPublisher
from vser_stream.adapters.storage.baselines import take_over
from vser_stream.adapters.storage.feedback import FeedbackFile
from vser_stream.adapters.storage.outbox import SqliteOutbox
from vser_stream.adapters.storage.state_folder import InUseError, StateFolder
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.adapters.system.prometheus import Metrics, Reading
from vser_stream.config.schema import Config, SourceConfig
from vser_stream.core.scoring.enrolment import Calibration
from vser_stream.core.technical_condition import Condition, ConditionName
from vser_stream.core.wire.documents import SiteStatus, message_of, status_message
from vser_stream.core.wire.numbering import Reporter
from vser_stream.core.wire.source_snapshot import Remembered, recall
from vser_stream.errors import ConfigError, OutboxError, PublishError
from vser_stream.runtime.build import Engine, features
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.connection import unique
from vser_stream.runtime.delivery.delivery import Counters, Delivery
from vser_stream.runtime.delivery.inbox import Inbox
from vser_stream.runtime.delivery.spool import OPEN_WITHIN, Keeper
from vser_stream.runtime.delivery.standing import Standing
from vser_stream.runtime.reasoning import escalation
from vser_stream.runtime.remote.announcements import Announcements
from vser_stream.runtime.remote.command_desk import CommandDesk
from vser_stream.runtime.remote.feedback import FeedbackKeeper
from vser_stream.runtime.remote.subscriptions import Reception
from vser_stream.runtime.source.audio_source import source_of
from vser_stream.runtime.source.listener import Listener, new_id
from vser_stream.runtime.source.roster import Roster
from vser_stream.runtime.watch.daemon_metrics import (
    latency_of,
    readings_of_delivery,
    readings_of_escalation,
    readings_of_look,
    readings_of_source,
)
from vser_stream.runtime.watch.selftest import rehearse
from vser_stream.values import Message

__all__ = ["Agent"]

LET_GO_WITHIN = 1.0
"""Time for the sources to end (s)."""

SAY_GOODBYE_WITHIN = 2.0
"""Time for what waits and the goodbye to be published (s)."""

DAY = 86_400.0
"""(s)."""

_log = logging.getLogger(__name__)


class Agent:
    """Loads everything when made, so a wrong model is an error before the first sample.

    Raises:
        ConfigError: The model cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._features = features()
        self._engine = Engine.load(config, live=True)
        self._escalation = self._engine.escalation()
        self.state = config.state_path
        """Folder of everything that must survive a restart; nobody else writes there."""

        self._folder = StateFolder(self.state)
        self.keeper = Keeper(SqliteOutbox(self.state / "outbox.db", claim=self._folder.claim))
        """All that is written there."""

        self.scorer = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        """Where every source is scored."""

        self.metrics = Metrics()
        self._heard = False
        self._refused: Condition | None = None
        self._presenting: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._access = Access()
        self._announcements = Announcements(
            config.site,
            config.homeassistant,
            health_every=config.publish.health_every,
            store=self.keeper,
        )
        self._roster = Roster(self._listener, announcements=self._announcements)
        desk = CommandDesk(
            config.site,
            self._roster,
            feedback=FeedbackKeeper(FeedbackFile(self.state / "feedback.jsonl"), self.keeper.disk),
            reserved=[config.homeassistant.prefix.partition("/")[0]],
        )
        reception = Reception(config.site, self._roster, desk=desk, announcements=self._announcements)
        self._inbox = Inbox(
            reception.topics,
            partial(MqttPublisher, config.mqtt, client_id=unique(f"vser-{config.site}-commands")),
            receiver=reception,
            access=self._access,
        )
        self._standing = Standing()
        self._delivery = Delivery(
            self.keeper, self._connection, standing=self._standing, presence=self, observer=self
        )

    async def claim(self) -> None:
        """Make sure that no other agent has the state folder, before anything is heard.

        A folder that cannot be used is no obstacle: messages are kept in memory, and that is told.

        Raises:
            ConfigError: Another agent has it.
        """
        try:
            await self.keeper.disk.run(self._folder.claim, within=OPEN_WITHIN)
        except InUseError as exc:
            raise ConfigError(exc.strerror) from exc
        except (OSError, OutboxError) as exc:
            _log.error("the state folder cannot be used: folder=%s error=%s", self.state, exc)

    async def rehearse(self) -> None:
        """Judge one made utterance where all others will be, and get the reasoner ready.

        Raises:
            ConfigError: It cannot be judged, or the reasoner can never be used.
        """
        if self._escalation is not None:
            await self._escalation.prepare()
        work = partial(rehearse, self._engine.decider(), WebRtcVad())
        await asyncio.get_running_loop().run_in_executor(self.scorer, work)

    def calibration(self) -> Calibration:
        """A listener that takes all it can measure for calm; takes a moment."""
        return self._engine.calibration()

    @property
    def _names(self) -> str:
        return ",".join(one.name for one in self._config.sources)

    @property
    def listeners(self) -> list[Listener]:
        """Those of the sources that are listened to now."""
        return self._roster.listeners

    async def counters(self) -> Counters:
        """How delivery stands."""
        return await self._delivery.counters()

    async def in_words(self) -> str:
        """How all stands, in one line."""
        counters = await self.counters()
        heard = sum(listener.heard is True for listener in self.listeners)
        words = [
            f"{heard} of {len(self.listeners)} sources monitored",
            "broker connected" if counters.connected else "broker away",
            f"{counters.depth} messages waiting",
        ]
        return "; ".join([*words, self._refused.reason] if self._refused else words)

    async def readings(self) -> list[Reading]:
        """How all stands, in figures."""
        model, sources = self._engine.model, self.listeners
        features = str(model.manifest["features"])
        what = {"version": __version__, "model": model.name, "model_version": model.version}
        return [
            Reading(
                "vser_info", "Version that runs.", 1.0, what | {"sha256": model.sha256, "features": features}
            ),
            Reading("vser_config_valid", "0 when the last reload was refused.", self._refused is None),
            *(one for each in sources for one in readings_of_source(each.health(), heard=each.heard is True)),
            *readings_of_delivery(await self.counters()),
            *readings_of_look(model.look.judge if model.look else None),
            *readings_of_escalation(
                asked.counters() if (asked := self._escalation) else escalation.Counters()
            ),
        ]

    async def run(self) -> None:
        """Listen and deliver until :meth:`stop`, or until every recording has been played."""
        await self.keeper.open(partial(take_over, self.state, features=self._features))
        self._roster.apply(self._config.sources)
        _log.info("listening: version=%s site=%s sources=%s", __version__, self._config.site, self._names)
        delivering = asyncio.create_task(self._delivery.run(), name="delivery")
        listening = asyncio.create_task(self._roster.run(), name="sources")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        reasoning = asyncio.create_task(self._reason(), name="reasoner")
        purging = asyncio.create_task(self._purge(), name="purge")
        commands = asyncio.create_task(self._inbox.run(), name="commands")
        try:
            await asyncio.wait({delivering, listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._roster.stop()
            reasoning.cancel()
            if self._escalation is not None:
                self._escalation.close()  # who waits for it hears at once that the SVM decides
            await asyncio.wait({listening}, timeout=LET_GO_WITHIN)
            if listening.done():
                listening.result()
        finally:
            stopping.cancel()
            reasoning.cancel()
            purging.cancel()
            commands.cancel()
            await self._delivery.stop(SAY_GOODBYE_WITHIN)
            await delivering
            # One that hangs is not waited for.
            self.scorer.shutdown(wait=False, cancel_futures=True)
            await self.keeper.close()
            self._folder.release()

    async def _reason(self) -> None:
        if self._escalation is not None:
            await self._escalation.run()

    async def _purge(self) -> None:
        """Keep evidence only as long as it may be kept."""
        while True:
            try:
                gone = await self.keeper.purge(SYSTEM_CLOCK.wall() - self._config.privacy.evidence_days * DAY)
                _log.info("audit records purged: count=%d", gone)
            except OutboxError as exc:
                _log.error("expired audit records could not be purged, trying again tomorrow: error=%s", exc)
            await asyncio.sleep(DAY)

    def stop(self) -> None:
        """End :meth:`run` in good order; may be called by a signal handler of the event loop."""
        self._stopping.set()

    def reload(self, config: Config) -> None:
        """Listen to the sources of another configuration; all else in it needs a restart."""
        if self._stopping.is_set():
            return
        if later := [
            name for name in Config.model_fields if name != "sources" and _differ(name, config, self._config)
        ]:
            _log.warning("configuration: takes effect after a restart only: %s", ", ".join(later))
        self._refused = None
        self._config = self._config.model_copy(update={"sources": config.sources})
        self._roster.apply(config.sources)
        self._presenting = asyncio.create_task(
            self._announcements.present(self._roster.names), name="presentation"
        )
        _log.info("configuration reloaded: sources=%s", self._names)

    def read_rules_again(self) -> None:
        """Take the book of rules as it is now, if it can be used; reads a file."""
        self._engine.rules.reload()

    def keep_configuration(self, reason: str) -> None:
        """The file cannot be used now: say so, and go on."""
        words = f"configuration not reloaded: {reason}"
        self._refused = Condition(ConditionName.CONFIGURATION, "low", SYSTEM_CLOCK.wall(), words)
        _log.error("%s", words)

    def _listener(self, source: SourceConfig) -> Listener:
        config = self._config
        return Listener(
            site=config.site,
            name=source.name,
            source=source_of(source),
            pipeline=self._engine.pipeline(config.alarm_of(source), baby_cry=source.baby_cry),
            reporter=Reporter(
                site=config.site, source=source.name, versions=self._engine.versions, new_id=new_id
            ),
            recall=partial(self._recall, source.name),
            features=self._features,
            scorer=self.scorer,
            commit=self.keeper.commit,
            on_capture=self._say_status,
            metrics=self.metrics,
            publish_utterances=config.publish.utterances,
            health_every=config.publish.health_every,
            escalation=self._escalation,
            besides=partial(self._besides, source.name),
        )

    async def _recall(self, source: str) -> Remembered | None:
        """What is kept of a source; None where the disk does not answer."""
        try:
            document = await self.keeper.recall(source)
        except OutboxError as exc:
            _log.error("stored state cannot be read, alarms start afresh: source=%s error=%s", source, exc)
            return None
        try:
            known = recall(document, features=self._features) if document else Remembered()
        except ValueError as exc:
            _log.error("stored state is invalid and was discarded: source=%s error=%s", source, exc)
            await self.keeper.forget(source)
            return Remembered()
        if known.outdated:
            _log.warning(
                "baseline of another feature set discarded; please calibrate again: source=%s", source
            )
        return known

    def _besides(self, source: str) -> Iterator[Condition]:
        """What is wrong with more than the source itself."""
        yield from self._access.conditions(source)
        yield from self.keeper.conditions()
        yield from self._standing.conditions()
        if self._standing.connected:
            yield from self._inbox.conditions()
        if self._refused is not None:
            yield self._refused

    async def _say_status(self) -> None:
        """Online only while something is heard: a deaf monitor is no better than none."""
        heard = [listener.heard for listener in self._roster.listeners if listener.heard is not None]
        if heard and any(heard) is not self._heard:
            self._heard = any(heard)
            await self.keeper.put(status_message(self._config.site, self._status, new_id()))

    @property
    def _status(self) -> SiteStatus:
        return SiteStatus.ONLINE if self._heard else SiteStatus.OFFLINE

    def _connection(self) -> MqttPublisher:
        """The next connection for alerts, under another client id while somebody else uses ours."""
        will = status_message(self._config.site, SiteStatus.OFFLINE, "will")
        ours = f"vser-{self._config.site}"
        client_id = unique(ours) if self._standing.thrown_out else ours
        return MqttPublisher(self._config.mqtt, client_id=client_id, will=will)

    def greeting(self) -> Iterator[Message]:
        """First on each connection: what late subscribers must find retained."""
        self._inbox.hurry()
        yield status_message(self._config.site, self._status, new_id())
        for listener in self._roster.listeners:
            if listener.begun:
                yield message_of(listener.state(), new_id())
                yield message_of(listener.health(), new_id())
        yield from self._announcements.of(self._roster.names)

    def sent(self, message: Message) -> None:
        """Implements :class:`vser_stream.ports.DeliveryObserver`."""
        self._access.allow(message.topic)
        if (latency := latency_of(message, SYSTEM_CLOCK.wall())) is not None:
            self.metrics.alerted(latency)

    def refused(self, topic: str, reason: str) -> None:
        """Implements :class:`vser_stream.ports.DeliveryObserver`."""
        self._access.deny(topic, reason)

    def lost(self, error: PublishError) -> None:
        """Implements :class:`vser_stream.ports.DeliveryObserver`."""
        self._inbox.alerts_lost(error)

    def farewell(self) -> Iterator[Message]:
        """Last, before disconnecting."""
        yield status_message(self._config.site, SiteStatus.STOPPED, new_id())


def _differ(table: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, table) != getattr(other, table))
