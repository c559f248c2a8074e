"""Some countries' mobile numbers are written in two ways. Both lead to the same conversation."""

import pytest

from conversations.models import Conversation, ConversationMessage
from tests.stage import Stage
from whatsapp.tests.factories import USER_ID, change, contact, delivery, echo, inbound, text_message

FORMS = [
    ("5588912340001", "558812340001"),
    ("5511987654321", "551187654321"),
    ("5215512345678", "525512345678"),
    ("5491123456789", "541123456789"),
]


def says(sender: str, text: str = "Oi", **more: str) -> object:
    return inbound(text_message(text, sender=sender, **more), contacts=[contact(wa_id=sender)])


@pytest.mark.parametrize(("one", "other"), [*FORMS, *((other, one) for one, other in FORMS)])
def test_an_echo_to_the_other_form_takes_over_the_same_conversation(stage: Stage, one: str, other: str) -> None:
    stage.converse(says(one))
    stage.converse(delivery(change(message_echoes=[echo(to=other)])))
    stage.converse(says(one, "Obrigado"))
    conversation = Conversation.objects.get()
    assert (conversation.external_id, conversation.handled_by) == (one, "operator")
    assert conversation.messages.count() == 4  # with one answer, from before the takeover
    assert {sent["to"] for sent in stage.wire.sent} == {one}


def test_both_forms_in_one_delivery_are_one_customer(stage: Stage) -> None:
    long, short = FORMS[0]
    stage.post(inbound(text_message("one", sender=short), text_message("two", sender=long), contacts=[]))
    stage.post(inbound(text_message("three", sender=long, from_user_id=USER_ID), contacts=[]))
    stage.post(inbound(text_message("four", sender=None, from_user_id=USER_ID), contacts=[]))
    assert Conversation.objects.get().external_id == short
    assert ConversationMessage.objects.count() == 4


def test_conversations_that_exist_in_both_forms_stay_apart(stage: Stage) -> None:
    long, short = FORMS[0]
    stage.post(says(short))
    Conversation.objects.update(external_id="1")
    stage.post(says(long))
    Conversation.objects.filter(external_id="1").update(external_id=short)
    stage.post(inbound(text_message("a", sender=long), text_message("b", sender=short), contacts=[]))
    assert [each.messages.count() for each in Conversation.objects.order_by("external_id")] == [2, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("558832340001", "5588932340001"),  # a landline, and someone's mobile
        ("4915112345678", "49915112345678"),
        ("55881234001", "558891234001"),
        ("5255123456789", "52155123456789"),
    ],
)
def test_other_numbers_that_look_alike_are_different_people(stage: Stage, one: str, other: str) -> None:
    stage.post(says(one))
    stage.post(says(other))
    assert Conversation.objects.count() == 2
