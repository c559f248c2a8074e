"""Events from the channel and the desk reach a business's own systems once, and cost nothing without a subscriber."""

import datetime as dt
from typing import Any

import httpx2
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistant.turns import opening
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from conversations.outbox import recording
from conversations.outbox.recording import Attempt
from leads.models import Lead
from tenants.models import Tenant
from tests.stage import Stage, graph_error
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint, WebhookEvent
from webhooks.signature import new_secret
from webhooks.tests.receiver import Receiver, receiving
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import (
    CUSTOMER,
    PHONE_NUMBER_ID,
    change,
    contact,
    delivery,
    echo,
    inbound,
    message,
    status,
    text_message,
)


@pytest.fixture
def receiver(settings: Any) -> Any:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    with receiving() as receiver:
        yield receiver


def listen(receiver: Receiver, *types: EventType, tenant: Tenant | None = None) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        tenant=tenant or Tenant.objects.single(),
        url=receiver.url,
        event_types=list(types or EventType),
        secret=new_secret(),
    )


def told(receiver: Receiver, type: str) -> list[Any]:
    return [event["data"] for event in receiver.told if event["type"] == type]


def test_a_conversation_is_reported_from_the_first_message_to_the_reply(stage: Stage, receiver: Receiver) -> None:
    listen(receiver)
    stage.converse(inbound(text_message("Do you deliver?", id="wamid.1"), contacts=[contact("Ann Lee")]))
    assert sorted(receiver.types) == ["lead.created", "message.received", "reply.sent"]
    talk, asked, reply = Conversation.objects.get(), *ConversationMessage.objects.order_by("id")
    who = {
        "id": talk.pk,
        "phone_number_id": PHONE_NUMBER_ID,
        "external_id": CUSTOMER,
        "contact_user_id": None,
        "contact_name": "Ann Lee",
        "handled_by": "assistant",
    }
    (received,), (sent,), (created,) = (
        told(receiver, type) for type in ("message.received", "reply.sent", "lead.created")
    )
    assert received["conversation"] == sent["conversation"] == who
    assert (received["message"]["id"], received["message"]["text"]) == (asked.pk, "Do you deliver?")
    assert (received["message"]["external_id"], received["message"]["kind"]) == ("wamid.1", "text")
    assert (sent["message"]["id"], sent["message"]["origin"]) == (reply.pk, "assistant")
    assert sent["message"]["external_id"] == reply.external_id
    lead = Lead.objects.get()
    assert created["lead"] == {
        "id": lead.pk,
        "conversation_id": talk.pk,
        "name": "Ann Lee",
        "phone": CUSTOMER,
        "source": "whatsapp",
    }


def test_a_duplicate_is_reported_once(stage: Stage, receiver: Receiver) -> None:
    listen(receiver)
    first = inbound(text_message("Hello", id="wamid.1"))
    stage.post(first)
    stage.converse(first)
    stage.converse(inbound(text_message("Me again")))
    assert [event["message"]["text"] for event in told(receiver, "message.received")] == ["Hello", "Me again"]
    assert len(told(receiver, "lead.created")) == 1


def test_only_subscribed_events_are_sent(stage: Stage, receiver: Receiver) -> None:
    listen(receiver, EventType.REPLY_SENT)
    stage.converse(inbound(text_message("Hello")))
    assert receiver.types == ["reply.sent"]
    assert WebhookEvent.objects.count() == 1


def test_what_the_business_writes_from_the_app_is_not_received(stage: Stage, receiver: Receiver) -> None:
    listen(receiver)
    stage.converse(delivery(change(message_echoes=[echo()])))
    assert receiver.types == []


def test_one_business_gets_no_events_of_another(stage: Stage, receiver: Receiver, settings: Any) -> None:
    settings.MULTITENANT_ENABLED = True
    ours, theirs = (Tenant.objects.create(name=slug, slug=slug) for slug in ("ours", "theirs"))
    for number, tenant in (("1", ours), ("2", theirs)):
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token="t")
    listen(receiver, tenant=ours)
    for number in ("1", "2"):
        stage.converse(delivery(change(messages=[text_message(f"To {number}")], phone_number_id=number)))
        stage.converse(delivery(change(messages=[text_message(f"Again {number}")], phone_number_id=number)))
    assert [event["message"]["text"] for event in told(receiver, "message.received")] == ["To 1", "Again 1"]
    assert {event["conversation"]["phone_number_id"] for event in told(receiver, "reply.sent")} == {"1"}
    assert set(WebhookEvent.objects.values_list("tenant", flat=True)) == {ours.pk}


def test_a_conversation_is_flagged_once_per_reason(stage: Stage, receiver: Receiver) -> None:
    listen(receiver, EventType.NEEDS_PERSON)
    stage.wire.model = lambda body: httpx2.Response(500, json={"error": {"message": "no", "code": "x", "type": "x"}})
    stage.converse(inbound(text_message("Hello")))
    stage.converse(inbound(text_message("Hello?")))
    (call,) = told(receiver, "needs_person")
    talk = Conversation.objects.get()
    assert (call["reason"], call["conversation"]["id"]) == (talk.needs_person, talk.pk)
    handover.clear_needs_person([talk.pk])
    handover.mark_needs_person([talk.pk], "Angry.")
    stage.work()
    assert [call["reason"] for call in told(receiver, "needs_person")][1:] == ["Angry."]


def test_a_reply_that_was_not_sent_is_not_reported(stage: Stage, receiver: Receiver) -> None:
    listen(receiver, EventType.REPLY_SENT, EventType.NEEDS_PERSON)
    stage.wire.graph = lambda body: graph_error(131026)
    stage.converse(inbound(text_message("Hello")))
    assert receiver.types == ["needs_person"]


@pytest.mark.parametrize("state", ["queued", "sending", "uncertain", "failed"])
def test_a_reply_whose_sender_died_is_reported_with_its_status(stage: Stage, receiver: Receiver, state: str) -> None:
    listen(receiver, EventType.REPLY_SENT)
    stage.post(inbound(text_message("Hello")))
    (reply,) = outbox.send(Conversation.objects.get(), "Hello yourself")
    ConversationMessage.objects.filter(pk=reply.pk).update(status=state, sending_at=timezone.now())
    for name in ("sent", "delivered", "read"):
        stage.post(delivery(change(statuses=[status(name, wamid="wamid.9", biz_opaque_callback_data=str(reply.pk))])))
    recording.record([Attempt(reply.pk, 1, "wamid.9")])  # it lived after all
    stage.work()
    assert [event["message"]["text"] for event in told(receiver, "reply.sent")].count("Hello yourself") == 1


def test_a_reply_that_someone_confirmed_is_reported(stage: Stage, receiver: Receiver) -> None:
    listen(receiver, EventType.REPLY_SENT)
    stage.post(inbound(text_message("Hello")))
    (reply,) = outbox.send(Conversation.objects.get(), "Hello yourself")
    ConversationMessage.objects.filter(pk=reply.pk).update(status="uncertain")
    handover.mark_delivered(reply.pk, "Bo")  # type: ignore[arg-type]
    stage.work()
    assert "Hello yourself" in [event["message"]["text"] for event in told(receiver, "reply.sent")]


def test_a_deleted_message_is_removed_from_the_log_and_not_sent_again(stage: Stage, receiver: Receiver) -> None:
    listen(receiver, EventType.MESSAGE_RECEIVED)
    stage.converse(inbound(text_message("My card is 4711", id="wamid.1")))
    stage.converse(inbound(message("revoke", {"original_message_id": "wamid.1"})))
    assert ConversationMessage.objects.get(external_id="wamid.1").text == ""
    assert "4711" not in str(list(WebhookEvent.objects.values_list("payload", flat=True)))
    assert told(receiver, "message.received")[-1]["message"]["kind"] == "revoke"
    assert told(receiver, "message.received")[-1]["message"]["reply_to"] == "wamid.1"


def test_an_event_lives_or_dies_with_what_happened(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(receiver)

    def cut(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(opening, "open_for", cut)
    stage.converse(inbound(text_message("Hello")))
    assert not ConversationMessage.objects.exists()
    assert not WebhookEvent.objects.exists()
    assert not WebhookDelivery.objects.exists()
    assert receiver.got == []


def statements(stage: Stage, text: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        stage.post(delivery(change(messages=[text_message(text)], statuses=[status("read", wamid="wamid.none")])))
    return [query["sql"] for query in captured.captured_queries]


def test_without_subscribers_a_delivery_costs_nothing_more(stage: Stage, receiver: Receiver) -> None:
    statements(stage, "the first")
    before = statements(stage, "nobody")
    listen(receiver, EventType.NEEDS_PERSON, EventType.REPLY_SENT)
    assert len(statements(stage, "somebody, not of this")) == len(before)
    listen(receiver, EventType.MESSAGE_RECEIVED)
    listened = statements(stage, "somebody")
    assert len(listened) == len(before) + 4, "what it says, the event, its job and the notification"
    listen(receiver, EventType.MESSAGE_RECEIVED)
    assert len(statements(stage, "several")) == len(listened)


def test_a_webhook_that_hangs_does_not_hold_up_the_reply(stage: Stage, receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_SECONDS, settings.RETRY_TIME_SCALE = 0.2, 1
    receiver.codes = [500]
    listen(receiver, EventType.MESSAGE_RECEIVED)
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.texts == ["Answer to Hello"]
    waits = WebhookDelivery.objects.get().next_attempt_at - timezone.now()
    assert dt.timedelta(0) < waits < dt.timedelta(seconds=11)
