"""Identifying contacts: phone numbers, business-scoped user IDs, and people who change them."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from conversations.models import Conversation, ConversationMessage
from tests.stage import SECRET, WEBHOOK, Stage
from whatsapp.tests.factories import CUSTOMER, USER_ID, Json, contact, inbound, message, signed, text_message


def by_phone(text: str) -> object:
    return inbound(text_message(text), contacts=[contact()])


def by_user_id(text: str) -> object:
    return inbound(
        text_message(text, sender=None, from_user_id=USER_ID), contacts=[contact(wa_id=None, user_id=USER_ID)]
    )


def by_both(text: str) -> object:
    return inbound(text_message(text, from_user_id=USER_ID), contacts=[contact(user_id=USER_ID)])


ORDERS = [
    (by_both, by_phone, by_user_id),
    (by_both, by_user_id, by_phone),
    (by_phone, by_both, by_user_id),
    (by_user_id, by_both, by_phone),
]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(way.__name__ for way in order))
def test_a_person_stays_in_one_conversation_however_meta_names_them(stage: Stage, order: tuple) -> None:  # type: ignore[type-arg]
    for number, way in enumerate(order):
        stage.post(way(str(number)))
    conversation = Conversation.objects.get()
    assert (conversation.external_id, conversation.contact_user_id) == (CUSTOMER, USER_ID)
    assert conversation.messages.count() == 3


def test_two_conversations_of_one_person_go_on_as_one(stage: Stage) -> None:
    stage.post(by_phone("from the number"))
    stage.post(by_user_id("under the user name"))
    assert Conversation.objects.count() == 2, "nothing said yet that they are one person"
    stage.post(by_both("now we know"))
    stage.post(by_user_id("and later"))
    goes_on = Conversation.objects.get(external_id=CUSTOMER)
    assert goes_on.contact_user_id == USER_ID
    assert list(goes_on.messages.order_by("id").values_list("text", flat=True)) == [
        "from the number",
        "now we know",
        "and later",
    ]


def test_a_customer_without_a_phone_number_is_answered_at_the_user_id(stage: Stage) -> None:
    stage.converse(by_user_id("Hello"))
    assert Conversation.objects.get().phone is None
    sent = stage.wire.sent[0]
    assert sent["recipient"] == USER_ID
    assert "to" not in sent


def system(content: Json, **more: Any) -> Json:
    return inbound(message("system", content, **more), contacts=[])


def test_a_changed_number_moves_the_conversation(stage: Stage) -> None:
    stage.post(by_phone("Hello"))
    stage.converse(system({"type": "user_changed_number", "wa_id": "79005550000", "body": "Ann changed her number"}))
    stage.post(inbound(text_message("It's me", sender="79005550000"), contacts=[contact(wa_id="79005550000")]))
    conversation = Conversation.objects.get()
    assert conversation.external_id == "79005550000"
    assert [m.text for m in conversation.messages.order_by("id") if m.role == "user"] == [
        "Hello",
        "Ann changed her number",
        "It's me",
    ]


def test_a_changed_number_that_has_a_conversation_leaves_both_alone(stage: Stage) -> None:
    stage.post(by_phone("Hello"))
    stage.post(inbound(text_message("New", sender="79005550000"), contacts=[contact(wa_id="79005550000")]))
    assert stage.post(system({"type": "user_changed_number", "wa_id": "79005550000", "body": "x"})).status_code == 200
    assert set(Conversation.objects.values_list("external_id", flat=True)) == {CUSTOMER, "79005550000"}


def test_two_numbers_of_a_business_are_two_conversations(stage: Stage) -> None:
    stage.post(inbound(text_message(), phone_number_id="1001"))
    stage.post(inbound(text_message(), phone_number_id="1002"))
    assert Conversation.objects.count() == 2


def post_all(bodies: list[object]) -> list[int]:
    """Post each body from its own thread, all at the same moment."""
    gate, answers = threading.Barrier(len(bodies)), []

    def post(data: object) -> None:
        body, header = signed(data, SECRET)
        gate.wait()
        headers = {"X-Hub-Signature-256": header}
        answers.append(Client().post(WEBHOOK, body, content_type="application/json", headers=headers).status_code)
        connection.close()

    threads = [threading.Thread(target=post, args=[data]) for data in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_ten_first_messages_at_once_make_one_conversation_with_ten_messages(stage: Stage) -> None:
    assert post_all([by_phone(str(n)) for n in range(10)]) == [200] * 10
    assert Conversation.objects.get().messages.count() == 10


def test_the_same_message_ten_times_at_once_is_one_message(stage: Stage) -> None:
    data = inbound(text_message("once", id="wamid.once"))
    assert post_all([data] * 10) == [200] * 10
    assert ConversationMessage.objects.get().text == "once"


def test_one_person_introduced_three_ways_at_once_loses_no_message(stage: Stage) -> None:
    ways = [way(str(n)) for n in range(3) for way in (by_phone, by_user_id, by_both)]
    assert post_all(ways) == [200] * 9
    assert ConversationMessage.objects.count() == 9
    stage.post(by_both("last"))
    assert Conversation.objects.filter(contact_user_id=USER_ID).count() == 1


def test_batches_of_the_same_people_in_opposite_order_do_not_block_each_other(stage: Stage) -> None:
    people = [f"7900{n:07}" for n in range(20)]
    forth = inbound(*[text_message("f", sender=who) for who in people], contacts=[])
    back = inbound(*[text_message("b", sender=who) for who in reversed(people)], contacts=[])
    assert post_all([forth, back] * 4) == [200] * 8
    assert ConversationMessage.objects.count() == 40
