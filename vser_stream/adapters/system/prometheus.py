"""What the daemon counts, in the words and the text format of Prometheus."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from vser_stream.values import DecidedBy, Decision, Label

__all__ = ["Metrics", "Reading"]

SCORING_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Around the budget of 50 ms for a decision (s)."""

LATENCY_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0)
"""Around the 0.3 s of silence that end an utterance; the last ones are outages of the broker (s)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that is kept elsewhere and read when somebody asks."""

    name: str
    """By the conventions of Prometheus: what ends in ``_total`` only grows."""

    help: str
    value: float
    """In the unit that the name ends with; dimensionless where it ends with none."""

    labels: dict[str, str] = field(default_factory=dict)


class Metrics:
    """Counters that only exist to be asked for; one registry for each daemon."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        self._utterances = Counter(
            "vser_utterances", "Judged utterances.", ("source", "label", "decided_by"), registry=registry
        )
        self._rejected = Counter(
            "vser_utterances_rejected",
            "Utterances that could not be classified.",
            ("source",),
            registry=registry,
        )
        self._alarms = Counter(
            "vser_alarm_events",
            "Transitions of alarm conditions.",
            ("source", "level", "event"),
            registry=registry,
        )
        self._audio = Counter("vser_scored_audio_seconds", "Audio processed.", ("source",), registry=registry)
        self._work = Counter(
            "vser_scoring_work_seconds",
            "Time the scorer worked; over the audio it is the real-time factor.",
            ("source",),
            registry=registry,
        )
        self._scoring = Histogram(
            "vser_scoring_seconds",
            "From the last sample of a segment to its decision.",
            registry=registry,
            buckets=SCORING_BUCKETS,
        )
        self._latency = Histogram(
            "vser_alert_latency_seconds",
            "From the end of speech to the broker's acknowledgement of an alert.",
            registry=registry,
            buckets=LATENCY_BUCKETS,
        )

    def expect(self, source: str, *, levels: Iterable[str], events: Iterable[str]) -> None:
        """Count from 0 on all that may happen: Prometheus sees no increase in a series born at 1."""
        for label, decided_by in itertools.product(Label, DecidedBy):
            self._utterances.labels(source, label.value, decided_by.value)
        for level, event in itertools.product(levels, events):
            self._alarms.labels(source, level, event)
        for counter in (self._rejected, self._audio, self._work):
            counter.labels(source)

    def utterance(self, source: str, decision: Decision) -> None:
        """An utterance was judged."""
        self._utterances.labels(source, decision.label.value, decision.decided_by.value).inc()

    def rejected(self, source: str) -> None:
        """An utterance could not be judged."""
        self._rejected.labels(source).inc()

    def alarm(self, source: str, *, level: str, event: str) -> None:
        """An alarm condition changed."""
        self._alarms.labels(source, level, event).inc()

    def scored(self, source: str, *, audio: float, work: float, decided: bool) -> None:
        """So much audio took the scorer so long (s)."""
        self._audio.labels(source).inc(audio)
        self._work.labels(source).inc(work)
        if decided:
            self._scoring.observe(work)

    def alerted(self, latency: float) -> None:
        """An alert was acknowledged so long after the end of speech (s)."""
        self._latency.observe(latency)

    def text(self, readings: Iterable[Reading]) -> bytes:
        """All of it, with ``readings``, as Prometheus reads it."""
        both = CollectorRegistry()
        both.register(self._registry)
        both.register(_Collected(list(readings)))
        return generate_latest(both)


class _Collected(Collector):
    def __init__(self, readings: list[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for one in self._readings:
            kind = CounterMetricFamily if one.name.endswith("_total") else GaugeMetricFamily
            family = families.setdefault(one.name, kind(one.name, one.help, labels=list(one.labels)))
            family.add_metric(list(one.labels.values()), one.value)
        yield from families.values()
