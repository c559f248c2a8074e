"""The main job, end to end: a signed webhook in, a stored conversation, a reply out."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from assistant.models import Turn
from conversations.models import Conversation, ConversationMessage
from leads.models import Lead
from tests.stage import Stage, completion, graph_error
from whatsapp.tests.factories import (
    CUSTOMER,
    PHONE_NUMBER_ID,
    Json,
    change,
    contact,
    delivery,
    inbound,
    status,
    text_message,
)


def rows() -> list[tuple[str, str, str]]:
    messages = ConversationMessage.objects.order_by("created_at", "id")
    return [(message.role, message.text, message.status) for message in messages]


def test_a_message_is_stored_answered_and_sent(stage: Stage) -> None:
    stage.converse(inbound(text_message("Do you deliver?", id="wamid.in1"), contacts=[contact("Ann Lee")]))

    assert rows() == [("user", "Do you deliver?", ""), ("assistant", "Answer to Do you deliver?", "sent")]
    conversation = Conversation.objects.get()
    assert (conversation.external_id, conversation.phone_number_id) == (CUSTOMER, PHONE_NUMBER_ID)
    assert conversation.contact_name == "Ann Lee"
    sent = ConversationMessage.objects.get(role="assistant")
    assert sent.external_id == "wamid.out0001"
    assert stage.wire.sent == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": CUSTOMER,
            "type": "text",
            "text": {"body": "Answer to Do you deliver?", "preview_url": False},
            "biz_opaque_callback_data": str(sent.pk),
        }
    ]
    assert [body["message_id"] for body in stage.wire.marked_read] == ["wamid.in1"]


def test_the_history_goes_to_the_model_oldest_first_after_the_system_prompt(stage: Stage) -> None:
    stage.converse(inbound(text_message("First")))
    stage.converse(inbound(text_message("Second")))

    shown = stage.wire.asked[-1]["messages"]
    assert shown[0]["role"] == "system"
    assert shown[1:] == [
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Answer to First"},
        {"role": "user", "content": "Second"},
    ]


def test_a_lead_is_created_with_the_first_message_only(stage: Stage) -> None:
    referral = {"source_type": "ad", "source_id": "AD1", "headline": "Winter sale"}
    stage.converse(inbound(text_message("Hi from the ad", referral=referral), contacts=[contact("Ann Lee")]))
    stage.converse(inbound(text_message("Second"), contacts=[contact("Ann Lee")]))

    lead = Lead.objects.get()
    assert (lead.name, lead.phone, lead.first_text) == ("Ann Lee", CUSTOMER, "Hi from the ad")
    assert (lead.source, lead.referral) == ("advertisement", referral)


def test_the_turn_is_the_ledger_of_the_reply(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))

    turn = Turn.objects.get()
    user, reply = ConversationMessage.objects.order_by("id")
    assert (turn.state, turn.outcome) == ("replied", "replied")
    assert (turn.first_message, turn.last_message, turn.seen_messages) == (user, user, [user.pk])
    assert (turn.first_reply, turn.last_reply) == (reply, reply)
    assert (turn.prompt_tokens, turn.completion_tokens, turn.usage_estimated) == (20, 5, False)


def test_statuses_advance_the_reply(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    stage.post(delivery(change(statuses=[status("read", wamid="wamid.out0001")])))
    stage.post(delivery(change(statuses=[status("delivered", wamid="wamid.out0001")])))

    reply = ConversationMessage.objects.get(role="assistant")
    assert reply.status == "read"
    assert reply.read_at is not None
    assert reply.delivered_at is not None


def test_a_burst_gets_one_reply(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello"), text_message("I want a cake")))
    stage.post(inbound(text_message("for Sunday")))
    stage.work()

    assert stage.wire.texts == ["Answer to for Sunday"]
    assert Turn.objects.get().seen_messages == list(
        ConversationMessage.objects.filter(role="user").order_by("id").values_list("id", flat=True)
    )


def test_a_long_answer_is_several_messages_in_order(stage: Stage) -> None:
    paragraphs = ["a" * 3000, "b" * 3000, "c" * 3000]
    stage.wire.model = lambda body: completion("\n\n".join(paragraphs))
    stage.converse(inbound(text_message("Tell me everything")))

    assert stage.wire.texts == paragraphs
    replies = ConversationMessage.objects.filter(role="assistant").order_by("id")
    assert [reply.text for reply in replies] == paragraphs
    turn = Turn.objects.get()
    assert (turn.first_reply, turn.last_reply) == (replies[0], replies[2])


@pytest.mark.parametrize("quoted", ["Hello", None])
def test_a_quotation_is_kept_and_shown_to_the_model(stage: Stage, quoted: str | None) -> None:
    stage.converse(inbound(text_message("Hello", id="wamid.first")))
    stage.converse(inbound(text_message("Cake?")))
    context: Json = {"context": {"id": "wamid.first", "from": CUSTOMER}} if quoted else {}
    stage.converse(inbound(text_message("This one", **context)))

    last = stage.wire.asked[-1]["messages"][-1]["content"]
    assert last == ("(About “Hello”)\nThis one" if quoted else "This one")
    stored = ConversationMessage.objects.get(text="This one")
    assert stored.reply_to == ("wamid.first" if quoted else "")


@pytest.mark.parametrize("code", [1, 2, 131000, 131016])
def test_an_error_of_metas_own_is_retried_unless_the_message_went_out_after_all(
    stage: Stage, settings: Any, code: int
) -> None:
    """Meta asks to try again. The first retry waits for a status, which would name our message."""
    settings.RETRY_TIME_SCALE = 1
    stage.wire.graph = lambda body: graph_error(code, 500)
    stage.converse(inbound(text_message("Hello")))
    stage.wire.graph = None
    waiting = ConversationMessage.objects.get(role="assistant")
    assert waiting.status == "queued"
    assert waiting.next_attempt_at
    assert waiting.next_attempt_at > timezone.now() + dt.timedelta(seconds=50)
    stage.post(delivery(change(statuses=[status("sent", wamid="wamid.late", message_id=waiting.pk)])))
    ConversationMessage.objects.update(next_attempt_at=timezone.now())
    stage.work()
    assert len(stage.wire.sent) == 1
    assert ConversationMessage.objects.get(role="assistant").status == "sent"
