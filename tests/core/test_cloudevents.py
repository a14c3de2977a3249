import json

import pytest

from vser_stream.core.cloudevents import attributes_of, content_type_of
from vser_stream.core.messages import SiteStatus, status_message
from vser_stream.values import Message


def message(topic: str, document: dict[str, str]) -> Message:
    return Message(topic, json.dumps(document).encode(), 1, retain=False, id="m1")


def test_an_alert_says_what_happened_where_and_to_which_condition() -> None:
    document = {
        "schema": "vser.alert/1",
        "site": "home-1",
        "source": "bedroom",
        "event": "raised",
        "alert_id": "a1",
        "ended_at": "2023-11-14T22:13:22Z",
        "published_at": "2023-11-14T22:13:23Z",
    }
    assert attributes_of(message("vser/v1/home-1/bedroom/alert", document)) == {
        "specversion": "1.0",
        "id": "m1",
        "source": "urn:vser:home-1:bedroom",
        "type": "io.vser.alert.raised.v1",
        "subject": "a1",
        "time": "2023-11-14T22:13:23Z",
    }


def test_a_document_without_condition_or_time_has_neither() -> None:
    document = {"schema": "vser.health/1", "site": "h", "source": "b"}
    assert attributes_of(message("vser/v1/h/b/health", document)) == {
        "specversion": "1.0",
        "id": "m1",
        "source": "urn:vser:h:b",
        "type": "io.vser.health.v1",
    }


def test_the_status_has_its_attributes_though_it_is_a_bare_word() -> None:
    assert attributes_of(status_message("home-1", SiteStatus.ONLINE, "m1")) == {
        "specversion": "1.0",
        "id": "m1",
        "source": "urn:vser:home-1",
        "type": "io.vser.status.v1",
    }


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"device": {}}', b"word"])
def test_what_is_in_the_words_of_others_has_its_id_only(payload: bytes) -> None:
    assert attributes_of(Message("homeassistant/x", payload, 1, retain=True, id="m1")) == {"id": "m1"}


def test_a_bare_word_is_no_json() -> None:
    assert (content_type_of(b"online"), content_type_of(b'{"a": 1}')) == ("text/plain", "application/json")
