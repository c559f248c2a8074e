"""What a person writes in the WhatsApp app takes over the conversation; the app's automatic texts don't."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from conversations import handover
from conversations.models import Conversation, ConversationMessage
from leads.models import Lead
from tenants.models import Tenant
from tests.stage import Stage
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import CUSTOMER, SENT_AT, change, contact, delivery, echo, inbound, text_message


def echoed(*echoes: dict[str, object]) -> object:
    return delivery(change(message_echoes=list(echoes), contacts=[contact()]))


def test_an_echo_is_stored_as_a_persons_reply_and_takes_over(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    stage.converse(echoed(echo()))
    reply = ConversationMessage.objects.latest("id")
    assert (reply.role, reply.origin, reply.text) == ("assistant", "app", "Hello, this is Bo.")
    assert Conversation.objects.get().handled_by == "operator"


def test_the_assistant_is_silent_after_it(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(echo()))
    stage.converse(inbound(text_message("Thank you, Bo")))
    assert stage.wire.sent == []


def test_an_echo_to_a_new_customer_creates_a_conversation_but_no_lead(stage: Stage) -> None:
    stage.converse(echoed(echo()))
    assert Conversation.objects.get().last_inbound_at is None
    assert not Lead.objects.exists()
    stage.converse(inbound(text_message("Hello")))
    assert Lead.objects.get().first_text == "Hello"


def test_an_echoed_edit_and_revoke_correct_the_persons_reply(stage: Stage) -> None:
    stage.converse(echoed(echo(id="wamid.bo")))
    inner = {"type": "text", "text": {"body": "Hello, Bo here."}}
    stage.converse(echoed(echo("edit", {"original_message_id": "wamid.bo", "message": inner})))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == "Hello, Bo here."
    stage.converse(echoed(echo("revoke", {"original_message_id": "wamid.bo"})))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == ""


def later(seconds: int) -> str:
    """A timestamp this long after the customer's message."""
    return str(SENT_AT + seconds)


AWAY = "Thank you for contacting us! We are away right now and will answer as soon as we can."
GREETING = "Hi! How can we help you?"
OTHER = "4915112345678"


def said(text: str, seconds: int, to: str = CUSTOMER, **more: object) -> dict[str, object]:
    return echo("text", {"body": text}, to=to, timestamp=later(seconds), **more)


def origins() -> list[str]:
    return list(ConversationMessage.objects.order_by("id").values_list("origin", flat=True))


def test_an_away_message_comes_too_fast_for_a_person_and_takes_nothing_over(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(said(AWAY, 2)))
    assert origins() == ["customer", "automatic", "assistant"]
    assert Conversation.objects.get().handled_by == "assistant"
    stage.converse(inbound(text_message("Are you open on Sunday?")))
    assert stage.wire.texts == ["Answer to Hello", "Answer to Are you open on Sunday?"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Hello Ann, yes, at ten.", 8),
        ("ok", 0),
        ("Of course! I'll put the strawberry cake aside for you, come at ten.", 8),
        (AWAY, 30),
    ],
)
def test_a_person_who_answers_quickly_takes_over(stage: Stage, text: str, seconds: int) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(said(text, seconds)))
    assert origins()[:2] == ["customer", "app"]
    assert Conversation.objects.get().handled_by == "operator"
    assert stage.wire.sent == []


def test_a_person_may_write_while_the_customer_goes_on_writing(stage: Stage) -> None:
    """Their long answer is to the first message and comes right after the second."""
    stage.post(inbound(text_message("Do you have a strawberry cake?"), text_message("Hello?", timestamp=later(40))))
    stage.converse(echoed(said("Yes, we have one for eight people. Shall I put it aside for you?", 41)))
    assert Conversation.objects.get().handled_by == "operator"


def test_a_greeting_is_recognised_when_the_second_customer_gets_it_and_the_first_one_is_answered_then(
    stage: Stage,
) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(said(GREETING, 2)))
    assert Conversation.objects.get().handled_by == "operator", "a person can type that, too"
    stage.post(inbound(text_message("Good morning", sender=OTHER), contacts=[contact("Bo", OTHER)]))
    stage.converse(echoed(said(GREETING, 1, OTHER)))
    assert origins() == ["customer", "automatic", "customer", "automatic", "assistant", "assistant"]
    assert not Conversation.objects.filter(handled_by="operator").exists()
    assert sorted(stage.wire.texts) == ["Answer to Good morning", "Answer to Hello"]


def test_numbers_of_one_business_have_the_same_greeting_and_other_businesses_dont_count(
    stage: Stage, settings: Any
) -> None:
    settings.MULTITENANT_ENABLED = True
    ours, theirs = (Tenant.objects.create(name=name, slug=name) for name in ("ours", "theirs"))
    for number, tenant in (("1", ours), ("2", ours), ("3", theirs)):
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token="t")
    for number in ("3", "1", "2"):
        stage.post(inbound(text_message("Hello"), phone_number_id=number))
        stage.post(delivery(change(message_echoes=[said(GREETING, 1)], phone_number_id=number)))
        stage.work()
    assert dict(Conversation.objects.values_list("phone_number_id", "handled_by")) == {
        "1": "assistant",
        "2": "assistant",
        "3": "operator",
    }


def test_a_text_that_many_customers_get_is_automatic_even_if_it_comes_late(stage: Stage) -> None:
    """The phone was asleep."""
    for number in range(3):
        customer = f"49151000000{number}"
        stage.post(inbound(text_message("Hello", sender=customer), contacts=[contact("Ann", customer)]))
        stage.converse(echoed(said(AWAY, 45, customer)))
    assert not Conversation.objects.filter(handled_by="operator").exists()
    assert len(stage.wire.texts) == 3


def test_a_person_who_wrote_before_the_greeting_keeps_the_conversation(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(said("Hello Ann, Bo here.", 20), said(GREETING, 21)))
    stage.post(inbound(text_message("Good morning", sender=OTHER), contacts=[contact("Bo", OTHER)]))
    stage.converse(echoed(said(GREETING, 1, OTHER)))
    assert Conversation.objects.get(external_id=CUSTOMER).handled_by == "operator"
    assert Conversation.objects.get(external_id=OTHER).handled_by == "assistant"


def test_an_away_message_that_arrives_before_its_customers_message_is_corrected(stage: Stage) -> None:
    stage.converse(echoed(said(AWAY, 1)))
    stage.converse(inbound(text_message("Hello")))
    assert Conversation.objects.get().handled_by == "assistant"
    assert stage.wire.texts == ["Answer to Hello"]


def test_an_away_message_does_not_count_as_an_answer(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    conversation = Conversation.objects.get()
    handover.take_over(conversation.pk, User.objects.create(username="bo"))
    stage.converse(echoed(said(AWAY, 1)))
    handover.hand_back(conversation.pk)
    stage.work()
    assert stage.wire.texts == ["Answer to Hello"]


def test_an_automatic_echo_can_be_deleted_in_the_app(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(said(AWAY, 1, id="wamid.away")))
    stage.converse(echoed(echo("revoke", {"original_message_id": "wamid.away"})))
    assert ConversationMessage.objects.get(external_id="wamid.away").text == ""


def test_an_away_message_does_not_reset_the_brake_on_two_machines(stage: Stage) -> None:
    for number in range(8):
        stage.post(inbound(text_message("Thanks for your message! We'll get back to you.")))
        stage.converse(echoed(said(AWAY, 1)) if number else inbound())
    assert Conversation.objects.get().handover_reason == "machine"
