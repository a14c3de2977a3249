"""Who is told what becomes of messages: whoever counts, and whoever knows what the broker refuses."""

from __future__ import annotations

from vser_stream.adapters.system.prometheus import Metrics
from vser_stream.errors import PublishError
from vser_stream.ports import Clock
from vser_stream.runtime.delivery.access import Access
from vser_stream.runtime.delivery.inbox import Inbox
from vser_stream.runtime.watch.daemon_metrics import latency_of
from vser_stream.values import Message

__all__ = ["DeliveryNotes"]


class DeliveryNotes:
    """Implements :class:`vser_stream.ports.DeliveryObserver`.

    Args:
        access: What the broker refuses.
        inbox: Stands back where it costs alerts their connection.
        metrics: Counts alerts.
        clock: What time it is.
    """

    def __init__(self, access: Access, inbox: Inbox, metrics: Metrics, *, clock: Clock) -> None:
        self._access, self._inbox, self._metrics, self._clock = access, inbox, metrics, clock

    def sent(self, message: Message) -> None:
        """The broker has acknowledged a message."""
        self._access.allow(message.topic)
        if (latency := latency_of(message, self._clock.wall())) is not None:
            self._metrics.alerted(latency)

    def refused(self, topic: str, reason: str) -> None:
        """The broker does not let us publish on a topic."""
        self._access.deny(topic, reason)

    def lost(self, error: PublishError) -> None:
        """A good connection was lost."""
        self._inbox.alerts_lost(error)
