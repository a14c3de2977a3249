"""The life of the daemon: every source, one outbox, one broker, from the first sample to the goodbye."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from vser_stream import __version__
from vser_stream.adapters.audio.vad import WebRtcVad
from vser_stream.adapters.storage.baselines import take_over
from vser_stream.adapters.storage.state_folder import InUseError
from vser_stream.adapters.system.clock import SYSTEM_CLOCK
from vser_stream.config.schema import Config
from vser_stream.errors import ConfigError, OutboxError
from vser_stream.ports import Clock
from vser_stream.runtime.assembly import assemble
from vser_stream.runtime.delivery.retention import Retention
from vser_stream.runtime.delivery.spool import OPEN_WITHIN
from vser_stream.runtime.watch.selftest import rehearse

__all__ = ["Agent"]

LET_GO_WITHIN = 1.0
"""Time for the sources to end (s)."""

SAY_GOODBYE_WITHIN = 2.0
"""Time for what waits and the goodbye to be published (s)."""

_log = logging.getLogger(__name__)


class Agent:
    """Loads everything when made, so a wrong model is an error before the first sample.

    Args:
        config: What is wanted.
        clock: What time it is.

    Raises:
        ConfigError: The model cannot be used.
    """

    def __init__(self, config: Config, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._config = config
        self.parts = assemble(config, clock=clock)
        """For whoever asks and watches."""

        self._retention = Retention(self.parts.keeper, days=config.privacy.evidence_days, clock=clock)
        self._presenting: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def claim(self) -> None:
        """Make sure that no other agent has the state folder, before anything is heard.

        A folder that cannot be used is no obstacle: messages are kept in memory, and that is told.

        Raises:
            ConfigError: Another agent has it.
        """
        try:
            await self.parts.keeper.disk.run(self.parts.folder.claim, within=OPEN_WITHIN)
        except InUseError as exc:
            raise ConfigError(exc.strerror) from exc
        except (OSError, OutboxError) as exc:
            folder = self._config.state_path
            _log.error("the state folder cannot be used: folder=%s error=%s", folder, exc)

    async def rehearse(self) -> None:
        """Judge one made utterance where all others will be, and get the reasoner ready.

        Raises:
            ConfigError: It cannot be judged, or the reasoner can never be used.
        """
        if self.parts.escalation is not None:
            await self.parts.escalation.prepare()
        work = partial(rehearse, self.parts.engine.decider(), WebRtcVad())
        await asyncio.get_running_loop().run_in_executor(self.parts.scorer, work)

    async def run(self) -> None:
        """Listen and deliver until :meth:`stop`, or until every recording has been played."""
        parts, config = self.parts, self._config
        await parts.keeper.open(partial(take_over, config.state_path, features=parts.features))
        parts.roster.apply(config.sources)
        _log.info("listening: version=%s site=%s sources=%s", __version__, config.site, self._names)
        delivering = asyncio.create_task(parts.delivery.run(), name="delivery")
        listening = asyncio.create_task(parts.roster.run(), name="sources")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        reasoning = asyncio.create_task(self._reason(), name="reasoner")
        beside = [
            asyncio.create_task(self._retention.run(), name="purge"),
            asyncio.create_task(parts.inbox.run(), name="commands"),
            asyncio.create_task(parts.presence.run(), name="presence"),
        ]
        try:
            await asyncio.wait({delivering, listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            parts.roster.stop()
            reasoning.cancel()
            if parts.escalation is not None:
                parts.escalation.close()  # who waits for it hears at once that the SVM decides
            await asyncio.wait({listening}, timeout=LET_GO_WITHIN)
            if listening.done():
                listening.result()
        finally:
            for task in (stopping, reasoning, *beside):
                task.cancel()
            await parts.delivery.stop(SAY_GOODBYE_WITHIN)
            await delivering
            # One that hangs is not waited for.
            parts.scorer.shutdown(wait=False, cancel_futures=True)
            await parts.keeper.close()
            parts.folder.release()

    async def _reason(self) -> None:
        if self.parts.escalation is not None:
            await self.parts.escalation.run()

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
        self.parts.conditions.configuration = None
        self._config = self._config.model_copy(update={"sources": config.sources})
        self.parts.roster.apply(config.sources)
        presenting = self.parts.announcements.present(self.parts.roster.names)
        self._presenting = asyncio.create_task(presenting, name="presentation")
        _log.info("configuration reloaded: sources=%s", self._names)

    def read_rules_again(self) -> None:
        """Take the book of rules as it is now, if it can be used; reads a file."""
        self.parts.engine.rules.reload()

    def keep_configuration(self, reason: str) -> None:
        """The file cannot be used now: say so, and go on."""
        self.parts.conditions.refuse_configuration(reason)

    @property
    def _names(self) -> str:
        return ",".join(one.name for one in self._config.sources)


def _differ(table: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, table) != getattr(other, table))
