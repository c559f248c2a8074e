"""The phone shows what reaches the webhook without it."""

import json

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from sandbox.models import Message
from sandbox.phone.overheard import Overhear, note
from sandbox.phone.posting import USER_AGENT
from sandbox.pool import pool

pytestmark = pytest.mark.django_db
NUMBER = "100000000000001"


def delivery(*messages: object) -> bytes:
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": messages}
    return json.dumps({"entry": [{"changes": [{"value": value}]}]}).encode()


def test_a_text_appears_in_the_customers_chat_once() -> None:
    text = {"id": "wamid.1", "from": "79001234567", "type": "text", "text": {"body": "Hello"}}
    for _ in range(2):
        note(delivery(text))
    message = Message.objects.get()
    assert (message.chat.customer.phone, message.content, message.state) == (
        "79001234567",
        {"body": "Hello"},
        "delivered",
    )
    assert message.from_customer


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[1]",
        b'{"entry": 3}',
        b'{"entry": [{"changes": [null, {"value": {"messages": [{}]}}]}]}',
        delivery(None, {"from": "79001234567", "text": None}, {"from": [], "text": {"body": "x"}}, {"type": "image"}),
    ],
)
def test_what_is_not_a_text_is_left_out(raw: bytes) -> None:
    note(raw)
    assert not Message.objects.exists()


@pytest.mark.parametrize(("agent", "status", "heard"), [("curl/8", 200, 1), (USER_AGENT, 200, 0), ("curl/8", 403, 0)])
def test_only_what_others_deliver_and_the_bot_accepts_is_heard(
    monkeypatch: pytest.MonkeyPatch, agent: str, status: int, heard: int
) -> None:
    jobs: list[object] = []
    monkeypatch.setattr(pool, "submit", jobs.append)

    def webhook(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=status)

    request = RequestFactory().post("/", b"{}", content_type="application/json", headers={"User-Agent": agent})
    Overhear(webhook)(request)
    assert len(jobs) == heard
