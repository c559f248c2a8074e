"""From a customer's message to the notification of the team, and back."""

import httpx2

from conversations import handover
from conversations.models import Conversation
from conversations.replies import reply
from conversations.tests.rows import owner
from notifications.models import NotificationIncident
from notifications.tests.line import time_passes, told
from tenants.models import Tenant
from tenants.tests.people import Role, TwoBusinesses, person
from tests.stage import Stage, completion
from whatsapp.tests.factories import change, delivery, echo, inbound, text_message


def kinds() -> set[str]:
    """Of the open incidents."""
    return set(NotificationIncident.objects.filter(closed_at=None).values_list("kind", flat=True))


def test_customers_who_write_to_a_person_notify_that_person_and_later_everyone(stage: Stage) -> None:
    ours = TwoBusinesses()
    stage.converse(inbound(text_message("Hello")))
    talk = Conversation.objects.get()
    member = person("agent")
    owner(talk).memberships.create(user=member, role=Role.OPERATOR)
    handover.take_over(talk.pk, member)
    for text in ("Are you there?", "Hello??"):
        stage.converse(inbound(text_message(text)))
    assert kinds() == {"message", "unanswered"}
    assert told() == []
    time_passes()
    assert told() == ["agent", "agent"]
    assert ours.people["operator"].username not in told()
    reply(talk.pk, member, "Yes.")
    assert kinds() == set()


def test_the_assistants_own_conversations_notify_nobody(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    assert not NotificationIncident.objects.exists()


def test_a_customer_of_a_switched_off_assistant_is_unanswered(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    Conversation.objects.update(is_active=False)
    stage.converse(inbound(text_message("Hello?")))
    assert kinds() == {"unanswered"}


def test_an_answer_in_the_whatsapp_app_is_an_answer(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    talk = Conversation.objects.get()
    handover.take_over(talk.pk, None)
    stage.converse(inbound(text_message("Hello?")))
    assert kinds() == {"unanswered"}
    stage.converse(delivery(change(message_echoes=[echo()])))
    assert kinds() == set()


def test_a_customer_who_asks_for_a_person_notifies_the_team(stage: Stage) -> None:
    person("agent").memberships.create(tenant=Tenant.objects.single(), role=Role.OPERATOR)
    stage.wire.model = lambda body: completion("A colleague will write to you.")
    stage.converse(inbound(text_message("I want to speak to a human")))
    assert told() == ["agent"]


def test_a_refused_key_is_told_once_and_not_with_each_conversation(stage: Stage) -> None:
    refused = {"error": {"message": "no", "code": "invalid_api_key"}}
    stage.wire.model = lambda body: httpx2.Response(401, json=refused)
    for sender in ("491", "492", "493"):
        stage.converse(inbound(text_message("Hello", sender=sender)))
    assert Conversation.objects.exclude(needs_person="").count() == 3
    assert kinds() == set()  # operations.causes tells of the key
