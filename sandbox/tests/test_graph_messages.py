"""The Graph API stand-in accepts and refuses messages as Meta does."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sandbox.models import Chat, Customer, Message, PhoneNumber
from sandbox.tests.graph import BSUID, NUMBER, PERSON, read, send

pytestmark = pytest.mark.django_db


def test_it_accepts_a_text_and_answers_as_meta_does() -> None:
    response = send(to="+1 (555) 123-4567", context={"message_id": "wamid.X"}, biz_opaque_callback_data="17")
    assert response.status_code == 200
    message = Message.objects.get()
    assert response.json() == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+1 (555) 123-4567", "wa_id": PERSON}],
        "messages": [{"id": message.wamid}],
    }
    assert message.wamid.startswith("wamid.")
    assert (message.content, message.quotes, message.opaque) == ({"body": "Hello"}, "wamid.X", "17")
    assert message.chat.customer.phone == PERSON


@pytest.mark.parametrize("token", ["", " "])
def test_it_refuses_a_request_without_a_token(token: str) -> None:
    response = send(token=token)
    assert response.status_code == 401
    error = response.json()["error"]
    assert (error["code"], error["type"]) == (190, "OAuthException")
    assert error["fbtrace_id"]
    assert not Message.objects.exists()


def test_it_refuses_another_numbers_token() -> None:
    number = PhoneNumber.known_as(NUMBER)
    number.access_token = "right"
    number.save(update_fields=["access_token"])
    assert send(token="wrong").status_code == 401
    assert send(token="right").status_code == 200


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "no product": ({"messaging_product": None}, 100),
    "no recipient": ({"to": None}, 100),
    "recipient is no user id": ({"to": None, "recipient": "15551234567"}, 131009),
    "to is a word": ({"to": "somebody"}, 131009),
    "unknown type": ({"type": "telepathy"}, 100),
    "empty text": ({"text": {"body": ""}}, 100),
    "text is a string": ({"text": "Hello"}, 100),
    "4097 characters": ({"text": {"body": "x" * 4097}}, 100),
    "513 opaque characters": ({"biz_opaque_callback_data": "x" * 513}, 100),
    "context without an id": ({"context": {}}, 100),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_meta_refuses(name: str) -> None:
    changes, code = REFUSED[name]
    body = {
        "messaging_product": "whatsapp",
        "to": PERSON,
        "type": "text",
        "text": {"body": "Hello"},
    } | changes
    response = send({key: value for key, value in body.items() if value is not None})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == code
    assert not Message.objects.exists()


ODD = ('{"x": NaN}', '{"x": "\\u0000"}', '{"x": "\\ud83d"}', "[" * 100_000)


@pytest.mark.parametrize("raw", ["{", "[]", "null", '"text"', *ODD], ids=range(8))
def test_it_refuses_what_is_not_a_json_object(raw: str) -> None:
    response = send(raw)
    assert (response.status_code, response.json()["error"]["code"]) == (400, 100)


def test_it_accepts_4096_characters() -> None:
    assert send(text={"body": "x" * 4096}).status_code == 200


def test_it_sends_to_a_user_id_in_recipient() -> None:
    body = {"messaging_product": "whatsapp", "recipient": BSUID, "type": "text", "text": {"body": "Hello"}}
    response = send(body)
    assert response.json()["contacts"] == [{"input": BSUID, "user_id": BSUID}]
    assert Message.objects.get().state == "accepted"


def test_it_accepts_a_user_id_in_to_and_never_delivers_it() -> None:
    response = send(to=BSUID)
    assert response.status_code == 200
    message = Message.objects.get()
    assert message.state == "lost"
    assert "recipient" in message.problem


def test_it_marks_read_and_shows_typing() -> None:
    chat = Chat.between(PhoneNumber.known_as(NUMBER), Customer.of_phone(PERSON))
    older, newer = (
        Message.objects.create(chat=chat, from_customer=True, kind="text", state="delivered") for _ in range(2)
    )
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": newer.wamid,
        "typing_indicator": {"type": "text"},
    }
    response = send(body)
    assert (response.status_code, response.json()) == (200, {"success": True})
    older.refresh_from_db()
    chat.refresh_from_db()
    assert older.state == "read"
    assert chat.typing_until is not None
    assert chat.typing_until > timezone.now()
    send()
    chat.refresh_from_db()
    assert chat.typing_until is None


def test_it_closes_the_window_after_24_hours() -> None:
    chat = Chat.between(PhoneNumber.known_as(NUMBER), Customer.of_phone(PERSON))
    chat.last_inbound_at = timezone.now() - timedelta(hours=25)
    chat.save(update_fields=["last_inbound_at"])
    response = send()
    assert (response.status_code, response.json()["error"]["code"]) == (400, 131047)


def test_it_shows_the_fields_of_a_number() -> None:
    response = read(f"{NUMBER}?fields=display_phone_number,verified_name,quality_rating")
    assert response.json() == {
        "id": NUMBER,
        "display_phone_number": "+15550000001",
        "verified_name": "Sandbox Business",
        "quality_rating": "GREEN",
    }
    assert read(f"{NUMBER}?fields=shoe_size").json()["error"]["code"] == 100
    assert read("nobody").json()["error"]["error_subcode"] == 33
    assert read(NUMBER, token="").status_code == 401


def test_it_lists_the_subscribed_apps() -> None:
    response = read("102290129340398/subscribed_apps")
    assert response.json()["data"][0]["whatsapp_business_api_data"]["name"] == "Sandbox"
