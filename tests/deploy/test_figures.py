"""Dashboard and alert rules speak of figures that the daemon really gives, by the labels it gives them."""

import itertools
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.broker import Mosquitto, free_port
from support.daemon import Subscriber, daemon, wait_for
from support.panics import agent_configuration, panics
from support.patience import HANGS

DEPLOY = Path(__file__).parents[2] / "deploy"
OF_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus, not the daemon, puts on a figure."""

EXPRESSIONS_ADD = OF_PROMETHEUS | {"le"}
"""And that of a bucket."""


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Prometheus reads of an agent that has told of a panic and misses a microphone."""
    folder, port = tmp_path_factory.mktemp("agent"), free_port()
    more = f'[http]\nport = {port}\n[[sources]]\nname = "none"\ndevice = "no such microphone"'
    with Mosquitto(folder) as broker, Subscriber(broker) as subscriber:
        config = agent_configuration(folder, broker.port, [panics(folder / "a.wav", 1)], more=more)
        with daemon(config):
            wait_for(
                lambda: told(subscriber), within=30, what="an alarm from beginning to end, and an outage"
            )
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANGS) as answer:
                return str(answer.read().decode())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Prometheus reads of an agent that hears a room in which nobody has said a word."""
    folder, port = tmp_path_factory.mktemp("fresh"), free_port()
    with Mosquitto(folder) as broker, Subscriber(broker) as subscriber:
        quiet = panics(folder / "a.wav", 0)
        with daemon(agent_configuration(folder, broker.port, [quiet], more=f"[http]\nport = {port}")):
            wait_for(lambda: "online" in subscriber.statuses(), within=30, what="a source that is heard")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=HANGS) as answer:
                return str(answer.read().decode())


def told(subscriber: Subscriber) -> bool:
    cleared = "cleared" in [one["event"] for one in subscriber.documents("alert")]
    return cleared and any(one["conditions"] for one in subscriber.documents("health"))


def samples(scrape: str) -> dict[str, set[str]]:
    """Labels of each figure."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*?)\})? \S+$", scrape, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for name in re.findall(r"^# TYPE (\w+) counter$", scrape, re.MULTILINE):
        found.setdefault(name, set())  # nothing has been counted by its labels yet
    return found


def expressions() -> Iterator[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert set(rule["annotations"]) == {"summary", "description"}
            yield rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def series(scrape: str) -> list[tuple[str, dict[str, str], float]]:
    """Each with its labels and its value."""
    found = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", scrape, re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="(.*?)"', labels)), float(value)) for name, labels, value in found]


def selected(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each figure of ours that is asked for, with each combination of labels."""
    for name, matchers in re.findall(r"\b((?:vser|process)_\w+)(?:\{(.*?)\})?", expression):
        wanted = re.findall(r'(\w+)(?:=~|=)"(.*?)"', matchers)
        choices = [
            [(label, one) for one in values.split("|")]
            for label, values in wanted
            if label not in OF_PROMETHEUS
        ]
        yield from ((name, dict(combination)) for combination in itertools.product(*choices))


def test_every_query_has_a_series_before_anything_has_happened(fresh: str) -> None:
    given = series(fresh)
    asked = [one for expression in expressions() for one in selected(expression)]
    assert ("vser_alarm_events_total", {"event": "escalated"}) in asked
    for name, labels in asked:
        assert [one for one, having, _ in given if one == name and labels.items() <= having.items()], (
            name,
            labels,
        )


def test_what_happens_first_is_counted_from_nought(fresh: str, scrape: str) -> None:
    """Prometheus sees an increase between two values; a series that is born with its first event has one."""
    begun = {(name, *sorted(labels.items())): value for name, labels, value in series(fresh)}
    counted = {
        (name, *sorted(labels.items())): value
        for name, labels, value in series(scrape)
        if name.endswith("_total") and labels.get("source") != "none"
    }
    assert counted.keys() <= begun.keys()
    events = {
        name: value
        for name, value in begun.items()
        if name[0] in {"vser_alarm_events_total", "vser_utterances_total"}
    }
    assert set(events.values()) == {0.0}
    assert sum(counted[name] for name in events) > 0


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b((?:vser|process)_\w+)", expression))


def labels(expression: str) -> set[str]:
    selected = re.findall(r"(\w+)\s*[=!]~?\"", expression)
    grouped = re.findall(r"by \(([\w, ]+)\)", expression)
    return {*selected, *(label for group in grouped for label in group.split(", "))} - EXPRESSIONS_ADD


def test_every_figure_that_is_asked_for_exists_with_its_labels(scrape: str) -> None:
    given = samples(scrape)
    for expression in expressions():
        names = named(expression)
        assert names <= given.keys() or expression.startswith("up{"), expression
        if any(given[name] for name in names):
            assert labels(expression) <= set().union(*(given[name] for name in names)), expression


def test_every_figure_of_ours_is_shown_or_watched(scrape: str) -> None:
    asked = set().union(*map(named, expressions()))
    ours = {name for name in samples(scrape) if name.startswith("vser_")}
    unseen = {name for name in ours if not name.endswith(("_created", "_sum", "_count"))} - asked
    assert unseen == {
        "vser_messages_expired_total",
        "vser_second_looks_total",
        "vser_source_overruns_total",
        "vser_source_restarts_total",
    }


def test_figures_are_named_as_prometheus_wants(scrape: str) -> None:
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", scrape, re.MULTILINE))
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")
    assert {'vser_source_heard{source="a"} 1.0', 'vser_source_heard{source="none"} 0.0'} <= set(
        scrape.splitlines()
    )
    assert 'vser_alarm_events_total{event="raised",level="panic",source="a"} 1.0' in scrape
    assert "vser_alert_latency_seconds_count 1.0" in scrape
    assert 'vser_source_condition{condition="capture_lost",source="none"} 1.0' in scrape
    assert 'vser_source_condition{condition="capture_lost",source="a"} 0.0' in scrape
