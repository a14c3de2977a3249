"""A daemon whose broker forbids it something says so, and hears when it is corrected."""

from __future__ import annotations

from pathlib import Path

from support.broker import Mosquitto
from support.daemon import Subscriber, configuration, daemon, wait_for

from vser_stream.runtime.delivery.access import Access

ALL = "topic readwrite vser/#\ntopic readwrite homeassistant/#\n"
HEALTH_ONLY = "topic read vser/#\ntopic readwrite homeassistant/#\ntopic write vser/v1/test/+/health\n"
DEAF = 'device = "no such microphone"'
CONDITION = "access_denied"


def test_what_may_not_be_published_is_told_before_there_is_an_alert(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, acl=HEALTH_ONLY) as broker,
        Subscriber(broker) as subscriber,
        daemon(configuration(tmp_path, broker.port, source=DEAF)),
    ):

        def told() -> list[str]:
            last = subscriber.documents("health")[-1:]
            conditions = [one for health in last for one in health["conditions"]]
            return [one["reason"] for one in conditions if one["name"] == CONDITION]

        missing = 'before the first user: "topic write vser/v1/test/bedroom/state"'
        words = f"it does not authorise this user; add to its acl_file, {missing}"
        wait_for(lambda: any(one.endswith(words) for one in told()), within=30, what="the condition")
        broker.stop()
        (tmp_path / "acl").write_text(ALL)
        broker.start()
        wait_for(lambda: not told(), within=30, what="the end of the condition")
    assert [topic for topic, _ in subscriber.received if topic.endswith("/alert")] == []


def test_who_has_no_home_assistant_is_told_so_with_low_priority() -> None:
    access = Access()
    access.deny("homeassistant/device/test/config", "it does not authorise this user")
    access.deny("vser/v1/test/bed/alert", "it does not authorise this user")
    access.deny("vser/v1/test/+/cmd/+", "it does not authorise this user")
    found = [(one.priority, one.reason) for one in access.conditions("attic")]
    told = "it does not authorise this user"
    assert found == [("low", f"{told}; or set enabled = false in [homeassistant]"), ("medium", told)]
    access.allow("vser/v1/test/+/cmd/+")
    assert [one.priority for one in access.conditions("bed")] == ["low", "medium"]
