import json
import re
from pathlib import Path
from typing import Any

from vser_stream.core.discovery import discovery_message

BROKER = Path(__file__).parents[2] / "deploy/mosquitto/mosquitto.conf"


def components(**options: Any) -> dict[str, dict[str, Any]]:
    message = discovery_message(
        "home-1", ["bed", "hall"], prefix="homeassistant", version="1", message_id="m", **options
    )
    assert (message.topic, message.retain, message.qos) == ("homeassistant/device/home-1/config", True, 1)
    return dict(json.loads(message.payload)["components"])


def test_each_source_has_the_same_entities_and_no_two_share_an_id() -> None:
    found = components()
    of_bed = {name.removeprefix("bed_") for name in found if name.startswith("bed_")}
    of_hall = {name.removeprefix("hall_") for name in found if name.startswith("hall_")}
    assert of_bed == of_hall
    assert of_bed >= {"alert", "voice", "confidence", "level", "capture", "problem", "ack", "pause", "resume"}
    ids = [one["unique_id"] for one in found.values()]
    assert len(set(ids)) == len(ids)


def test_of_a_removed_source_only_the_platform_is_left_which_is_how_an_entity_goes() -> None:
    found = components(removed=["attic"])
    gone = {name: one for name, one in found.items() if name.startswith("attic_")}
    kept = {name.replace("bed_", "attic_"): one for name, one in found.items() if name.startswith("bed_")}
    assert gone == {name: {"platform": one["platform"]} for name, one in kept.items()}


def test_fifty_sources_fit_into_a_message_the_shipped_broker_takes() -> None:
    names = [f"a-source-with-a-long-name-{n}" for n in range(50)]
    message = discovery_message("a-site", names, prefix="homeassistant", version="0.1.0", message_id="m")
    (limit,) = re.findall(r"^message_size_limit (\d+)$", BROKER.read_text(), re.MULTILINE)
    assert len(message.payload) < int(limit)


def test_unheard_means_unavailable_but_problems_and_buttons_stay() -> None:
    found = components()
    with_availability = {name.removeprefix("bed_") for name, one in found.items() if "availability" in one}
    assert {"alarm", "voice", "confidence"} <= with_availability
    assert with_availability.isdisjoint({"problem", "capture", "ack", "pause", "resume", "listening"})
    assert all("expire_after" in found[f"bed_{name}"] for name in ("problem", "capture", "level"))
