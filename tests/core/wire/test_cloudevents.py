import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import alert, attributes_in, every_kind, health

from vser_stream.core.wire.cloudevents import attributes_of, content_type_of
from vser_stream.core.wire.documents import Alert, SiteStatus, message_of, status_message
from vser_stream.values import Message

# To the millisecond, until 2096.
times = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000.0)


def test_an_alert_says_what_happened_where_and_to_which_condition() -> None:
    assert attributes_of(message_of(alert(), "m1")) == {
        "specversion": "1.0",
        "id": "m1",
        "source": "urn:vser:home-1:bedroom",
        "type": "io.vser.alert.raised.v1",
        "subject": "a1",
        "time": "2023-11-14T22:13:23.250000Z",
    }


@pytest.mark.parametrize("document", every_kind(), ids=lambda document: type(document).__name__)
def test_they_say_what_the_document_says(document: Alert) -> None:
    message = message_of(document, "m1")
    assert attributes_of(message) == attributes_in(message)


@given(times)
def test_their_time_is_the_document_s_word_by_word(at: float) -> None:
    for message in (message_of(health(updated_at=at), "m1"), message_of(alert(published_at=at), "m1")):
        assert attributes_of(message) == attributes_in(message)


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
