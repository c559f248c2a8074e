"""Garbage with a valid signature: 200, and a cleaned value or quarantine; never a 500."""

import json
import time

import pytest
from django.db import connection

from conversations.models import Conversation, ConversationMessage
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import inbound, text_message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"5",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"n": NaN}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"entry": {"changes": 5}}',
        b'{"object": "page", "entry": [{}]}',
    ],
)
def test_a_body_that_says_nothing_is_quarantined(stage: Stage, body: bytes) -> None:
    response = stage.post(body)
    assert (response.status_code, response.json()) == (200, {"ok": True})
    event = QuarantinedEvent.objects.get()
    assert event.reason
    stage.post(body)
    assert QuarantinedEvent.objects.count() == 1, "Meta's repetition must not fill the quarantine"


def test_a_byte_order_mark_is_skipped(stage: Stage) -> None:
    stage.post(b"\xef\xbb\xbf" + json.dumps(inbound()).encode())
    assert ConversationMessage.objects.get().text == "Hello"


@pytest.mark.parametrize("poison", ["\x00", "\ud800", "\udfff\ud800"])
def test_what_postgresql_refuses_is_cleaned_everywhere(stage: Stage, poison: str) -> None:
    message = text_message(f"he{poison}llo", id=f"wamid.{poison}1", extra={poison: [poison]})
    assert stage.post(inbound(message)).status_code == 200
    stored = ConversationMessage.objects.get()
    assert stored.text.replace("\ufffd", "") == "hello"
    assert (stored.external_id or "").replace("\ufffd", "") == "wamid.1"


FUTURE_IN_MS = str(int(time.time() * 1000) + 10**9)


@pytest.mark.parametrize(
    "timestamp",
    ["-5", "in the morning", "32503680000", None, "", 1e300, [], pytest.param(FUTURE_IN_MS, id="future in ms")],
)
def test_a_bad_timestamp_never_extends_the_window(stage: Stage, timestamp: object) -> None:
    stage.post(inbound(text_message("Hello", timestamp=timestamp)))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT last_inbound_at <= now() AND last_inbound_at > now() - interval '1 minute' FROM conversations"
        )
        assert cursor.fetchone() == (True,)


def test_an_old_message_that_comes_late_does_not_close_the_window(stage: Stage) -> None:
    stage.post(inbound(text_message("new")))
    newest = Conversation.objects.get().last_inbound_at
    stage.post(inbound(text_message("old", timestamp=str(int(time.time()) - 90_000))))
    assert Conversation.objects.get().last_inbound_at == newest


def test_ids_of_10_000_characters_are_quarantined_beside_a_stored_neighbour(stage: Stage) -> None:
    stage.post(inbound(text_message("long", id="w" * 10_000), text_message("fine")))
    assert ConversationMessage.objects.get().text == "fine"
    assert QuarantinedEvent.objects.get().reason == "id too long"


@pytest.mark.parametrize("text", ["x" * 65_536, "\u202eright to left\u202c", "Z\u0351\u036b\u0343" * 500])
def test_odd_texts_are_stored_whole(stage: Stage, text: str) -> None:
    stage.post(inbound(text_message(text)))
    assert ConversationMessage.objects.get().text == text


def test_1000_messages_with_one_poison_are_stored_but_for_that_one(stage: Stage) -> None:
    filler = "x" * 2600
    messages = [text_message(f"{n} {filler}", sender=f"7900{n % 50:07}") for n in range(1000)]
    messages[500] = {"type": "text", "text": {"body": "nobody sent this"}}
    started = time.perf_counter()
    assert stage.post(inbound(*messages, contacts=[])).status_code == 200
    assert ConversationMessage.objects.count() == 999
    assert QuarantinedEvent.objects.get().reason == "no sender"
    assert time.perf_counter() - started < 5, "the fault suite holds the bound of a second against a real server"


def test_one_message_that_postgresql_refuses_does_not_cost_its_neighbours(stage: Stage, transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE conversation_messages ADD CONSTRAINT no_bombs CHECK (text <> 'bomb')")
    try:
        stage.post(inbound(text_message("before"), text_message("bomb"), text_message("after")))
        assert sorted(ConversationMessage.objects.values_list("text", flat=True)) == ["after", "before"]
        event = QuarantinedEvent.objects.get()
        assert event.reason == "cannot be stored: IntegrityError"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE conversation_messages DROP CONSTRAINT no_bombs")
