"""The daemon: every source, one outbox, one broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from vser_stream import __version__
from vser_stream.adapters.baselines import BaselineStore
from vser_stream.adapters.mqtt import Broker, MqttPublisher
from vser_stream.adapters.outbox import SqliteOutbox
from vser_stream.adapters.pitch import SwiftF0Tracker
from vser_stream.adapters.svm import OnnxSvm
from vser_stream.adapters.vad import WebRtcVad
from vser_stream.config import Config, MqttConfig, SourceConfig
from vser_stream.core.decide import Decider, Judge
from vser_stream.core.features.spec import digest
from vser_stream.core.messages import SiteStatus, Versions, message_of, status_message
from vser_stream.core.pipeline import Pipeline
from vser_stream.core.report import Reporter
from vser_stream.errors import ConfigError
from vser_stream.runtime.delivery import Delivery
from vser_stream.runtime.listener import Listener, new_id
from vser_stream.runtime.roster import Roster
from vser_stream.runtime.sources import source_of
from vser_stream.values import Message

__all__ = ["Agent", "versions_of"]

STOP_WITHIN = 4.0
"""Time for the cameras to let go and the outbox to drain, each (s)."""

_log = logging.getLogger(__name__)


def versions_of(model: OnnxSvm) -> Versions:
    """What made the decisions, for the alert document."""
    return Versions(package=__version__, model=f"{model.name}@{model.version}+{model.sha256[:12]}")


class Agent:
    """Loads everything when made, so a wrong model is an error before the first sample.

    Raises:
        ConfigError: The model or the state folder cannot be used.
        OutboxError: The outbox cannot be opened.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pitch = SwiftF0Tracker()
        features = digest(self._pitch)
        self._model = OnnxSvm.load(config.model_dir, features=features)
        self._state = _private_folder(config.state_path)
        self._baselines = BaselineStore(self._state, features=features)
        self._outbox = SqliteOutbox(self._state / "outbox.db")
        self._scorer = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._heard = False
        self._stopping = asyncio.Event()
        will = status_message(config.site, SiteStatus.OFFLINE, "will")
        broker = broker_of(config.mqtt, client_id=f"vser-{config.site}")
        self._delivery = Delivery(
            self._outbox,
            partial(MqttPublisher, broker, will=will),
            on_connected=self._greeting,
            on_stopping=self._farewell,
        )
        self._roster = Roster(self._listener, health_every=config.publish.health_every)

    async def run(self) -> None:
        """Listen and deliver until :meth:`stop`, or until every recording has been played."""
        self._roster.apply(self._config.sources)
        delivering = asyncio.create_task(self._delivery.run(), name="delivery")
        listening = asyncio.create_task(self._roster.run(), name="sources")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            await asyncio.wait({delivering, listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._roster.stop()
            await listening
        finally:
            stopping.cancel()
            await self._delivery.stop(STOP_WITHIN)
            await delivering
            self._scorer.shutdown()
            self._outbox.close()

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
        self._config = self._config.model_copy(update={"sources": config.sources})
        self._roster.apply(config.sources)
        _log.warning("configuration read again: sources=%s", ",".join(one.name for one in config.sources))

    def _listener(self, source: SourceConfig) -> Listener:
        config = self._config
        judge = Judge(
            scorer=self._model,
            prior=self._model.prior,
            escalate_below=self._threshold(),
            reasoner_expected=config.reasoner.backend != "none",
        )
        decider = Decider(judge, self._pitch, baseline=self._baselines.load(source.name))
        return Listener(
            site=config.site,
            name=source.name,
            source=source_of(source),
            pipeline=Pipeline(decider, WebRtcVad(), segment=config.segment, alarm=config.alarm),
            reporter=Reporter(
                site=config.site, source=source.name, versions=versions_of(self._model), new_id=new_id
            ),
            scorer=self._scorer,
            put=self._delivery.put,
            on_capture=self._say_status,
            on_learned=lambda: self._baselines.save(source.name, decider.baseline),
            publish_utterances=config.publish.utterances,
        )

    def _threshold(self) -> float:
        wanted = self._config.route.escalate_below
        return self._model.escalate_below if wanted is None else wanted

    async def _say_status(self) -> None:
        """Online only while something is heard: a deaf monitor is no better than none."""
        heard = [listener.heard for listener in self._roster.listeners if listener.heard is not None]
        if heard and any(heard) is not self._heard:
            self._heard = any(heard)
            await self._delivery.put(status_message(self._config.site, self._status, new_id()))

    @property
    def _status(self) -> SiteStatus:
        return SiteStatus.ONLINE if self._heard else SiteStatus.OFFLINE

    def _greeting(self) -> Iterator[Message]:
        """First on each connection: what late subscribers must find retained."""
        yield status_message(self._config.site, self._status, new_id())
        for listener in self._roster.listeners:
            yield message_of(listener.state(), new_id())
            yield message_of(listener.health(), new_id())

    def _farewell(self) -> Iterator[Message]:
        yield status_message(self._config.site, SiteStatus.STOPPED, new_id())


def broker_of(config: MqttConfig, *, client_id: str) -> Broker:
    """The broker of a configuration."""
    return Broker(client_id=client_id, **dict(config))


def _differ(table: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, table) != getattr(other, table))


def _private_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be made ({exc.strerror}); set state_dir to a folder this user owns"
        ) from exc
    return path
