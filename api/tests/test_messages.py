"""Listing and sending messages, once per Idempotency-Key."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from api import idempotency
from api.models import IdempotentResponse
from api.tests.clients import Clients
from api.tests.test_conversations import all_pages
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from conversations.tests.rows import conversation, many_messages
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture
def talk(clients: Clients) -> Conversation:
    return conversation(clients.businesses.ours, "4915112345")


def messages(talk: Conversation) -> str:
    return f"conversations/{talk.pk}/messages"


def written() -> list[str]:
    return list(ConversationMessage.objects.filter(role="assistant").order_by("id").values_list("text", flat=True))


def test_messages_are_listed_newest_or_oldest_first(clients: Clients, talk: Conversation) -> None:
    many_messages(talk, 30)
    oldest = [f"message no. {number}." for number in range(30)]
    for order, texts in (("oldest", oldest), ("newest", oldest[::-1])):
        rows = all_pages(clients.reader, messages(talk), limit=7, order=order)
        assert [row["text"] for row in rows] == texts
    assert [row["text"] for row in clients.reader.get(messages(talk), limit=1).json()["results"]] == oldest[-1:]


def test_a_message_is_in_the_name_of_the_keys_creator_who_takes_over(clients: Clients, talk: Conversation) -> None:
    answer = clients.writer.post(messages(talk), {"text": "  It is on its way. "})
    assert answer.status_code == 201
    (row,) = answer.json()["messages"]
    assert (row["text"], row["status"], row["origin"], row["author"]) == (
        "It is on its way.",
        "queued",
        "operator",
        "our-owner",
    )
    assert clients.reader.get(messages(talk)).json()["results"] == [row]
    talk.refresh_from_db()
    assert (talk.handled_by, talk.operator) == ("operator", clients.owner)


def test_a_long_text_becomes_several_messages(clients: Clients, talk: Conversation) -> None:
    answer = clients.writer.post(messages(talk), {"text": "word " * 1000})
    assert [len(row["text"]) <= 4096 for row in answer.json()["messages"]] == [True, True]


@pytest.mark.parametrize("data", [{}, {"text": ""}, {"text": " \n"}, {"text": "x" * 40961}, {"text": "\x00"}, []])
def test_invalid_texts_are_refused(clients: Clients, talk: Conversation, data: Any) -> None:
    assert clients.writer.post(messages(talk), data).status_code == 400
    assert written() == []


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": NaN}', b"[" * 100_000, b'{"text": "\xff"}', b'"\\ud800"'])
def test_invalid_json_is_refused(clients: Clients, talk: Conversation, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {clients.writer.token}"}
    for kind, status in (("application/json", 400), ("text/plain", 415)):
        answer = clients.writer.client.post(f"/api/{messages(talk)}", body, content_type=kind, headers=headers)
        assert answer.status_code == (status if body else 400)
        assert answer.headers["Content-Type"] == "application/json"


def test_a_body_that_is_too_large_is_refused(clients: Clients, talk: Conversation, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = clients.writer.post(messages(talk), {"text": "x" * 200})
    assert (answer.status_code, answer.json()) == (400, {"detail": "The request body is too large."})


def test_a_closed_window_is_a_conflict(clients: Clients, talk: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    answer = clients.writer.post(messages(talk), {"text": "Hello?"}, **KEY)
    assert answer.status_code == 409
    assert "The 24-hour window has closed." in answer.json()["detail"]
    talk.refresh_from_db()
    assert (written(), talk.handled_by) == ([], "assistant")
    Conversation.objects.update(last_inbound_at=timezone.now())
    assert clients.writer.post(messages(talk), {"text": "Hello?"}, **KEY).status_code == 201, "a refusal is not kept"


def test_a_conversation_someone_else_has_taken_over_is_a_conflict(clients: Clients, talk: Conversation) -> None:
    handover.take_over(talk.pk, clients.businesses.people["operator"])
    answer = clients.writer.post(messages(talk), {"text": "Hello?"})
    assert (answer.status_code, written()) == (409, [])
    assert "our-operator is handling this conversation" in answer.json()["detail"]


def test_the_same_key_sends_once_and_returns_the_same_response(clients: Clients, talk: Conversation) -> None:
    first = clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
    again = clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert written() == ["Once"]


def test_a_key_cannot_be_used_for_two_requests(clients: Clients, talk: Conversation) -> None:
    other = conversation(clients.businesses.ours, "4930")
    clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
    for address, text in ((messages(talk), "Twice"), (messages(other), "Once")):
        answer = clients.writer.post(address, {"text": text}, **KEY)
        assert answer.status_code == 409
        assert "different request" in answer.json()["detail"]
    assert written() == ["Once"]


def test_businesses_can_use_the_same_key(clients: Clients, talk: Conversation) -> None:
    other = conversation(clients.businesses.theirs, "4930")
    assert clients.writer.post(messages(talk), {"text": "Ours"}, **KEY).status_code == 201
    assert clients.theirs.post(messages(other), {"text": "Theirs"}, **KEY).status_code == 201
    assert written() == ["Ours", "Theirs"]


def test_a_key_expires_after_a_day(clients: Clients, talk: Conversation) -> None:
    clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
    clients.writer.post(messages(talk), {"text": "Other"}, **{"Idempotency-Key": "order-18"})
    IdempotentResponse.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert clients.writer.post(messages(talk), {"text": "Again"}, **KEY).status_code == 201
    assert written() == ["Once", "Other", "Again"]
    assert IdempotentResponse.objects.count() == 1, "what is old is cleared away"


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256])
def test_invalid_keys_are_refused(clients: Clients, talk: Conversation, key: str) -> None:
    answer = clients.writer.post(messages(talk), {"text": "Hello"}, **{"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_send_once() -> None:
    clients = Clients()
    talk = conversation(clients.businesses.ours)
    together = threading.Barrier(6)

    def ask(_: int) -> Any:
        together.wait()
        try:
            return clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert written() == ["Once"]
    sent = [answer.json() for answer in answers if answer.status_code == 201]
    assert sent
    assert all(answer == sent[0] for answer in sent)
    assert {answer.status_code for answer in answers} <= {201, 409}


@pytest.mark.django_db(transaction=True)
def test_a_running_request_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients()
    talk = conversation(clients.businesses.ours)
    slow, may_end = threading.Event(), threading.Event()
    send = outbox.send

    def slowly(*args: Any, **columns: Any) -> Any:
        slow.set()
        assert may_end.wait(10)
        return send(*args, **columns)

    monkeypatch.setattr(outbox, "send", slowly)

    def ask() -> Any:
        try:
            return clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask)
        assert slow.wait(10)
        second = clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
        may_end.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert "still running" in second.json()["detail"]
    assert written() == ["Once"]


def test_a_message_is_rolled_back_if_its_response_cannot_be_stored(
    clients: Clients, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(idempotency.IdempotentRequest, "_store", cut)
    with pytest.raises(ZeroDivisionError):
        clients.writer.post(messages(talk), {"text": "Once"}, **KEY)
    assert not connection.needs_rollback
    assert written() == []


def test_the_worker_sends_the_message(stage: Stage) -> None:
    clients = Clients()
    stage.converse(inbound(text_message("Where is it?")))
    talk = Conversation.objects.get()
    Conversation.objects.update(tenant=clients.businesses.ours)
    clients.writer.post(messages(talk), {"text": "On its way."})
    stage.work()
    assert stage.wire.texts == ["Answer to Where is it?", "On its way."]
    assert [row["status"] for row in clients.reader.get(messages(talk)).json()["results"]] == ["sent", "sent", ""]
