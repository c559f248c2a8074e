"""A group's messages: a conversation of their own, in which the assistant stays silent and the team can reply."""

import json
from typing import Any

import pytest

from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from leads.models import Lead
from tests.stage import Stage

from .factories import CUSTOMER, change, contact, delivery, echo, inbound, message, status, text_message

GROUP = "Y2FwaV9ncm91cDox"
SECRET = "The boss must not know."


@pytest.fixture
def group(stage: Stage) -> Conversation:
    """A private message, one to the group, and another private one."""
    stage.converse(inbound(text_message("Do you deliver?")))
    stage.converse(inbound(text_message(SECRET, group_id=GROUP)))
    stage.converse(inbound(text_message("And on Sundays?")))
    return Conversation.objects.get(external_id=f"group:{GROUP}")


def test_a_groups_message_is_kept_out_of_the_private_conversation_and_its_prompt(
    stage: Stage, group: Conversation
) -> None:
    private = Conversation.objects.get(external_id=CUSTOMER)
    assert private.contact_name == "Ann Lee"
    assert not private.messages.filter(text__contains=SECRET).exists()
    assert SECRET not in json.dumps(stage.wire.asked)
    assert [message.text for message in group.messages.all()] == [f"Ann Lee: {SECRET}"]
    assert (str(group), group.phone, group.is_group) == ("WhatsApp group", None, True)


def test_nobody_is_answered_in_a_group_and_no_lead_is_made_of_it(stage: Stage, group: Conversation) -> None:
    handover.take_over(group.pk, None)
    handover.hand_back(group.pk)
    stage.work()
    assert len(stage.wire.asked) == 2
    assert [body["to"] for body in stage.wire.sent] == [CUSTOMER, CUSTOMER]
    assert Lead.objects.get().conversation.external_id == CUSTOMER


def test_a_reply_of_the_team_goes_to_the_group(stage: Stage, group: Conversation) -> None:
    outbox.send(group, "Hello, all.")
    stage.work()
    sent = stage.wire.sent[-1]
    assert (sent["recipient_type"], sent["to"], "recipient" in sent) == ("group", GROUP, False)
    wamid = ConversationMessage.objects.latest("id").external_id
    stage.post(delivery(change(statuses=[status("read", wamid=wamid, recipient_id=GROUP, recipient_type="group")])))
    assert ConversationMessage.objects.latest("id").status == "read"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (message("image", {"id": "1", "caption": "Look"}, group_id=GROUP), "Ann Lee: [image] Look"),
        (message("hologram", {"body": "Hi"}, group_id=GROUP), "Ann Lee: [unsupported message: hologram] Hi"),
        (message("reaction", {"message_id": "wamid.x", "emoji": "👍"}, group_id=GROUP), "[reaction] 👍"),
        (text_message("Hi", group_id=12345), "Ann Lee: Hi"),
        (text_message("Hi", group_id="g" * 5000), "Ann Lee: Hi"),
    ],
)
def test_any_kind_of_message_stays_in_its_group(stage: Stage, item: dict[str, Any], text: str) -> None:
    stage.post(inbound(item))
    stored = ConversationMessage.objects.get()
    assert (stored.text, stored.conversation.is_group) == (text, True)


def test_what_the_business_writes_in_the_group_from_its_phone_is_there_too(stage: Stage) -> None:
    stage.post(delivery(change(message_echoes=[echo(group_id=GROUP)])))
    assert Conversation.objects.get().external_id == f"group:{GROUP}"


def test_members_without_a_name_are_shown_by_their_number(stage: Stage) -> None:
    for sender in ("4915100001", "4915100002"):
        stage.post(inbound(text_message("Hi", sender=sender, group_id=GROUP), contacts=[contact("", wa_id=sender)]))
    conversation = Conversation.objects.get()
    assert [each.text for each in conversation.messages.order_by("id")] == ["4915100001: Hi", "4915100002: Hi"]
