"""A program reads the messages of a conversation and writes as a person, once for each Idempotency-Key."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from api import idempotency
from api.models import IdempotentResponse
from api.tests.programs import Programs
from api.tests.test_conversations import all_pages
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from conversations.tests.rows import conversation, many_messages
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture
def talk(programs: Programs) -> Conversation:
    return conversation(programs.businesses.ours, "4915112345")


def messages(talk: Conversation) -> str:
    return f"conversations/{talk.pk}/messages"


def written() -> list[str]:
    return list(ConversationMessage.objects.filter(role="assistant").order_by("id").values_list("text", flat=True))


def test_pages_through_the_messages_newest_or_oldest_first(programs: Programs, talk: Conversation) -> None:
    many_messages(talk, 30)
    oldest = [f"message no. {number}." for number in range(30)]
    for order, texts in (("oldest", oldest), ("newest", oldest[::-1])):
        rows = all_pages(programs.reader, messages(talk), limit=7, order=order)
        assert [row["text"] for row in rows] == texts
    assert [row["text"] for row in programs.reader.get(messages(talk), limit=1).json()["results"]] == oldest[-1:]


def test_writes_as_the_person_who_made_the_key_and_takes_the_conversation(
    programs: Programs, talk: Conversation
) -> None:
    answer = programs.writer.post(messages(talk), {"text": "  It is on its way. "})
    assert answer.status_code == 201
    (row,) = answer.json()["messages"]
    assert (row["text"], row["status"], row["origin"], row["author"]) == (
        "It is on its way.",
        "queued",
        "operator",
        "our-owner",
    )
    assert programs.reader.get(messages(talk)).json()["results"] == [row]
    talk.refresh_from_db()
    assert (talk.handled_by, talk.operator) == ("operator", programs.owner)


def test_a_long_text_is_several_messages(programs: Programs, talk: Conversation) -> None:
    answer = programs.writer.post(messages(talk), {"text": "word " * 1000})
    assert [len(row["text"]) <= 4096 for row in answer.json()["messages"]] == [True, True]


@pytest.mark.parametrize("data", [{}, {"text": ""}, {"text": " \n"}, {"text": "x" * 40961}, {"text": "\x00"}, []])
def test_refuses_what_is_no_text(programs: Programs, talk: Conversation, data: Any) -> None:
    assert programs.writer.post(messages(talk), data).status_code == 400
    assert written() == []


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": NaN}', b"[" * 100_000, b'{"text": "\xff"}', b'"\\ud800"'])
def test_refuses_what_is_no_json(programs: Programs, talk: Conversation, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {programs.writer.token}"}
    for kind, status in (("application/json", 400), ("text/plain", 415)):
        answer = programs.writer.client.post(f"/api/{messages(talk)}", body, content_type=kind, headers=headers)
        assert answer.status_code == (status if body else 400)
        assert answer.headers["Content-Type"] == "application/json"


def test_refuses_a_body_that_is_too_large(programs: Programs, talk: Conversation, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = programs.writer.post(messages(talk), {"text": "x" * 200})
    assert (answer.status_code, answer.json()) == (400, {"detail": "The body is too large."})


def test_says_that_the_window_is_closed(programs: Programs, talk: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    answer = programs.writer.post(messages(talk), {"text": "Hello?"}, **KEY)
    assert answer.status_code == 409
    assert "The 24-hour window has closed." in answer.json()["detail"]
    talk.refresh_from_db()
    assert (written(), talk.handled_by) == ([], "assistant")
    Conversation.objects.update(last_inbound_at=timezone.now())
    assert programs.writer.post(messages(talk), {"text": "Hello?"}, **KEY).status_code == 201, "a refusal is not kept"


def test_does_not_write_into_what_another_person_has(programs: Programs, talk: Conversation) -> None:
    handover.take_over(talk.pk, programs.businesses.people["operator"])
    answer = programs.writer.post(messages(talk), {"text": "Hello?"})
    assert (answer.status_code, written()) == (409, [])
    assert "our-operator is handling this conversation" in answer.json()["detail"]


def test_sends_once_for_one_key_and_gives_the_same_answer(programs: Programs, talk: Conversation) -> None:
    first = programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
    again = programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert written() == ["Once"]


def test_one_key_does_not_mean_two_things(programs: Programs, talk: Conversation) -> None:
    other = conversation(programs.businesses.ours, "4930")
    programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
    for address, text in ((messages(talk), "Twice"), (messages(other), "Once")):
        answer = programs.writer.post(address, {"text": text}, **KEY)
        assert answer.status_code == 409
        assert "another request" in answer.json()["detail"]
    assert written() == ["Once"]


def test_the_key_of_another_business_is_another_key(programs: Programs, talk: Conversation) -> None:
    other = conversation(programs.businesses.theirs, "4930")
    assert programs.writer.post(messages(talk), {"text": "Ours"}, **KEY).status_code == 201
    assert programs.theirs.post(messages(other), {"text": "Theirs"}, **KEY).status_code == 201
    assert written() == ["Ours", "Theirs"]


def test_a_key_is_forgotten_after_a_day(programs: Programs, talk: Conversation) -> None:
    programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
    programs.writer.post(messages(talk), {"text": "Other"}, **{"Idempotency-Key": "order-18"})
    IdempotentResponse.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert programs.writer.post(messages(talk), {"text": "Again"}, **KEY).status_code == 201
    assert written() == ["Once", "Other", "Again"]
    assert IdempotentResponse.objects.count() == 1, "what is old is cleared away"


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256])
def test_refuses_a_key_that_is_none(programs: Programs, talk: Conversation, key: str) -> None:
    answer = programs.writer.post(messages(talk), {"text": "Hello"}, **{"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])


@pytest.mark.django_db(transaction=True)
def test_sends_once_when_several_ask_at_once() -> None:
    programs = Programs()
    talk = conversation(programs.businesses.ours)
    together = threading.Barrier(6)

    def ask(_: int) -> Any:
        together.wait()
        try:
            return programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
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
def test_says_that_the_first_is_still_running(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs()
    talk = conversation(programs.businesses.ours)
    slow, may_end = threading.Event(), threading.Event()
    send = outbox.send

    def slowly(*args: Any, **columns: Any) -> Any:
        slow.set()
        assert may_end.wait(10)
        return send(*args, **columns)

    monkeypatch.setattr(outbox, "send", slowly)

    def ask() -> Any:
        try:
            return programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask)
        assert slow.wait(10)
        second = programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
        may_end.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert "still running" in second.json()["detail"]
    assert written() == ["Once"]


def test_what_was_sent_is_forgotten_with_its_answer(
    programs: Programs, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(idempotency.Once, "_keep", cut)
    with pytest.raises(ZeroDivisionError):
        programs.writer.post(messages(talk), {"text": "Once"}, **KEY)
    assert not connection.needs_rollback
    assert written() == []


def test_goes_out_through_the_worker(stage: Stage) -> None:
    programs = Programs()
    stage.converse(inbound(text_message("Where is it?")))
    talk = Conversation.objects.get()
    Conversation.objects.update(tenant=programs.businesses.ours)
    programs.writer.post(messages(talk), {"text": "On its way."})
    stage.work()
    assert stage.wire.texts == ["Answer to Where is it?", "On its way."]
    assert [row["status"] for row in programs.reader.get(messages(talk)).json()["results"]] == ["sent", "sent", ""]
