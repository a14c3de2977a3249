"""Print, as JSON, what Home Assistant's MQTT integration takes, for tests/schemas; runs beside it.

chroot ROOT /opt/hass/bin/python - < tests/home_assistant/schemas.py
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import voluptuous as vol
from homeassistant.components.mqtt import schemas
from homeassistant.components.mqtt.discovery import TOPIC_MATCHER
from homeassistant.const import EntityCategory, __version__

PLATFORMS = ("binary_sensor", "button", "event", "sensor")


def keys(schema: vol.Schema) -> dict[str, list[str]]:
    """Of a mapping: what must and what may be there."""
    found: dict[str, list[str]] = {"required": [], "optional": []}
    for marker in schema.schema:
        found["required" if isinstance(marker, vol.Required) else "optional"].append(str(marker))
    return {kind: sorted(names) for kind, names in found.items()}


def mapping(schema: Any) -> vol.Schema:
    """The mapping inside ``All(...)``."""
    return next(one for one in schema.validators if isinstance(one, vol.Schema))


def platform(name: str) -> dict[str, Any]:
    """What an entity of a platform may say."""
    own = import_module(f"homeassistant.components.{name}")
    mqtt = import_module(f"homeassistant.components.mqtt.{name}")
    discovery = mqtt.DISCOVERY_SCHEMA
    # Some are a mapping and checks that need more than the mapping.
    discovery = discovery if isinstance(discovery, vol.Schema) else mapping(discovery)
    classes = next(getattr(own, kind) for kind in vars(own) if kind.endswith("DeviceClass"))
    told: dict[str, Any] = {**keys(discovery), "device_classes": sorted(classes)}
    if name == "sensor":
        told["state_classes"] = sorted(own.SensorStateClass)
    return told


print(
    json.dumps(
        {
            "version": __version__,
            "topic": TOPIC_MATCHER.pattern,
            "device": keys(mapping(schemas.MQTT_ENTITY_DEVICE_INFO_SCHEMA)),
            "document": keys(schemas.DEVICE_DISCOVERY_SCHEMA),
            "entity_categories": sorted(EntityCategory),
            "platforms": {name: platform(name) for name in PLATFORMS},
        },
        indent=1,
    )
)
