"""Whatever Graph answers, the message ends in the right state, with the true reason, in one attempt to record it."""

import json
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.db import DataError
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import notifying, webhook_events
from conversations.files import attachments, uploads
from conversations.models import Conversation, ConversationMessage, Pause
from conversations.outbox import queue as outbox
from conversations.outbox import senders, sending
from notifications.models import NotificationIncident
from runtime import http
from tenants.models import Tenant
from tests.media_at_meta import PDF
from tests.stage import Stage, graph_error
from webhooks.models import WebhookEndpoint
from whatsapp.graph import client
from whatsapp.models import QuarantinedEvent

from .factories import change, delivery, inbound, status, text_message
from .fake_graph import Answer, accepted, refused
from .graph_answers import CASES, LONG, Case, body, error


def answered(stage: Stage, answers: Sequence[Answer]) -> list[ConversationMessage]:
    """Send one message for each of these answers, each from a number of its own; what is sent again is accepted."""
    tenant = Tenant.objects.single()
    conversations = Conversation.objects.bulk_create(
        Conversation(tenant=tenant, phone_number_id=f"n{n}", external_id=str(n), last_inbound_at=Now())
        for n in range(len(answers))
    )
    queued = {"role": "assistant", "origin": "assistant", "status": "queued", "text": "Hi", "next_attempt_at": Now()}
    rows = ConversationMessage.objects.bulk_create(
        ConversationMessage(conversation=conversation, tenant=tenant, **queued) for conversation in conversations
    )
    left: dict[str, Answer] = {str(n): answer for n, answer in enumerate(answers)}

    def graph(body: dict[str, Any]) -> httpx2.Response:
        answer = left.pop(body["to"], accepted(None))
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage.wire.graph = graph
    async_to_sync(send)()
    found = ConversationMessage.objects.select_related("conversation").in_bulk([row.pk for row in rows])
    return [found[row.pk] for row in rows]


async def send() -> None:
    async with http.keep_connections():
        await sending.Sending().dispatcher.run_until_idle()


def test_each_answer_has_its_outcome(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = answered(stage, [case.answer for case in CASES])
    wrong = {case.name: flaws for case, row in zip(CASES, outcomes, strict=True) if (flaws := flaws_of(case, row))}
    assert wrong == {}
    assert len(CASES) >= 80
    assert [record.message for record in caplog.records if "recorded" in record.message or record.exc_info] == []


def flaws_of(case: Case, row: ConversationMessage) -> list[str]:
    flag = row.conversation.needs_person
    about = NotificationIncident.objects.filter(subject__in=notifying.subjects([row.conversation_id]))
    kinds = list(about.values_list("kind", flat=True))
    is_right = {
        f"notifies of {kinds}": kinds == (["failed"] if case.status in ("failed", "uncertain") else []),
        f"is {row.status}": row.status == ("queued" if case.status == "held" else case.status),
        f"has code {row.error_code}": row.error_code == (None if case.status == "sent" else case.code),
        f"says {row.error_detail}": case.words in row.error_detail,
        f"says {row.error_detail!r} in {len(row.error_detail)}": len(row.error_detail) <= 600
        and row.error_detail.isprintable(),
        f"is flagged {flag}": row.error_detail[:100] in flag if case.status in ("held", "failed") else True,
        f"is flagged: {flag}": bool(flag) == (case.status != "sent"),
        f"has wamid {row.external_id}": case.wamid is None or row.external_id == case.wamid,
    }
    return [flaw for flaw, is_fine in is_right.items() if not is_fine]


def test_a_long_wamid_is_found_again_by_its_status_and_by_a_quote(stage: Stage) -> None:
    stage.wire.graph = lambda body: accepted(LONG)
    stage.converse(inbound(text_message("Hello")))
    stage.converse(delivery(change(statuses=[status("read", wamid=LONG)])))
    reply = ConversationMessage.objects.get(role="assistant")
    assert (reply.status, len(reply.external_id or "")) == ("read", 255)
    stage.post(inbound(text_message("What?", context={"id": LONG}, id=LONG + "B")))
    assert ConversationMessage.objects.latest("id").reply_to == reply.external_id
    assert not QuarantinedEvent.objects.exists()


def break_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours in something that follows from every outcome."""

    def fail(*args: object) -> None:
        raise TypeError("a bug")

    monkeypatch.setattr(webhook_events, "sent", fail)
    monkeypatch.setattr(webhook_events, "needs_person", fail)


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (graph_error(131026), "failed", "can't be reached on WhatsApp (131026): (#131026) no (This couldn't be"),
        (httpx2.ReadError("reset"), "uncertain", "it may have been sent (This couldn't be recorded"),
        (graph_error(190), "failed", "the access token has expired"),
    ],
)
def test_a_message_whose_outcome_cannot_be_recorded_does_not_stay_sending(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: Answer, state: str, reason: str
) -> None:
    break_recording(monkeypatch)
    (row,) = answered(stage, [answer])
    assert (row.status, row.error_detail.endswith("as usual: TypeError.)")) == (state, True)
    assert reason in row.error_detail
    assert row.conversation.needs_person.startswith("A reply ")
    assert state == "uncertain" or row.error_detail[:200] in row.conversation.needs_person


def test_a_message_that_meta_accepted_counts_as_sent_even_if_recording_that_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    WebhookEndpoint.objects.create(
        tenant=Tenant.objects.single(), url="https://receiver.test", event_types=["reply.sent"], secret="whsec_x"
    )
    break_recording(monkeypatch)
    (row,) = answered(stage, [accepted()])
    reason = "A reply was sent. WhatsApp accepted it, but that couldn't be recorded: TypeError."
    assert (row.status, row.conversation.needs_person) == ("sent", reason)


def test_a_message_that_cannot_be_written_as_a_request_fails_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "message_body", lambda *args: {"body": object()})
    (row,) = answered(stage, [accepted()])
    assert (row.status, row.error_detail) == ("failed", "Parley couldn't write the request: TypeError")
    assert stage.wire.sent == []


def test_a_sender_that_breaks_its_promise_leaves_no_message_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(senders.ConsoleSender):
        async def send(self, outbound: senders.Outbound) -> str:
            raise KeyError("oops")

    monkeypatch.setattr(sending, "load_sender", Broken)
    (row,) = answered(stage, [accepted()])
    assert (row.status, row.error_detail) == ("uncertain", "It may have been sent: KeyError.")


UPLOADS = [
    (body(200, {"id": 12345}), "sent", None, ""),
    (body(200, {"id": "m" * 300}), "sent", None, ""),  # tried again: it can't be kept
    (body(200, {"id": None}), "sent", None, ""),
    (body(200, b"<html>"), "sent", None, ""),
    (body(502, b""), "sent", None, ""),
    (error(message="(#100) bad \0 \ud83d file", code=100), "failed", 100, "(#100) bad \ufffd file"),
    (body(413, b"<h1>Too large</h1>"), "failed", None, "HTTP 413 that isn't Meta's JSON: Too large"),
    (refused(131053), "failed", 131053, "couldn't be uploaded"),
]


@pytest.mark.parametrize(("answer", "state", "code", "words"), UPLOADS)
def test_an_answer_to_an_upload_has_its_outcome(
    stage: Stage, answer: httpx2.Response, state: str, code: int | None, words: str
) -> None:
    """Nothing was sent to the customer yet, so nothing about it is uncertain."""
    stage.converse(inbound(text_message("Your bill?")))
    stage.wire.media.refusals = [answer]
    outbox.send_message(Conversation.objects.get(), uploads.keep(ContentFile(PDF, "bill.pdf")))
    stage.work()
    message = ConversationMessage.objects.get(kind="document")
    assert (message.status, message.error_code) == (state, code)
    assert words in message.error_detail


def test_a_message_is_sent_even_if_the_id_of_its_file_cannot_be_stored(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise DataError("value too long")

    stage.converse(inbound(text_message("Your bill?")))
    outbox.send_message(Conversation.objects.get(), uploads.keep(ContentFile(PDF, "bill.pdf")))
    monkeypatch.setattr(attachments, "uploaded", fail)
    stage.work()
    assert ConversationMessage.objects.get(kind="document").status == "sent"


texts = st.text(st.characters(), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["wamid.x", 100, 190, "4"])
names = st.sampled_from(["error", "errors", "messages", "id", "code", "message", "error_data", "details"]) | texts
values = st.recursive(
    scalars, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(names, parts, max_size=4), max_leaves=12
)
bodies = st.binary(max_size=30) | values.map(lambda value: json.dumps(value).encode())
answers = st.builds(
    lambda status, content: httpx2.Response(status, content=content),
    st.sampled_from([200, 200, 201, 204, 302, 400, 400, 401, 404, 413, 429, 500, 503]),
    bodies,
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(answers, min_size=25, max_size=25))
def test_no_answer_leaves_a_message_stuck(stage: Stage, given_answers: list[httpx2.Response]) -> None:
    Conversation.objects.all().delete()
    Pause.objects.all().delete()
    for row in answered(stage, given_answers):
        held = row.status == "queued" and row.next_attempt_at is not None
        assert held or row.status in ("sent", "failed", "uncertain")
        assert bool(row.conversation.needs_person) == (row.status != "sent")
        assert "recorded" not in row.error_detail
        assert "Error." not in row.error_detail
