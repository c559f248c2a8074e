"""Status updates: matched by our ID or by wamid, in any order, never back, and never across numbers."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import recording
from conversations.outbox.recording import Attempt
from conversations.outbox.senders import Policy, SendFailed
from notifications.choices import Kind
from notifications.models import NotificationIncident
from tests.stage import Stage
from whatsapp.tests.factories import change, delivery, error, inbound, status, text_message
from whatsapp.webhook import status_updates
from whatsapp.webhook.status_updates import Found
from whatsapp.webhook.status_updates import find as status_updates_find
from whatsapp.webhook.types import StatusUpdate

WAMID = "wamid.out0001"


@pytest.fixture
def reply(stage: Stage) -> ConversationMessage:
    stage.converse(inbound(text_message("Hello")))
    return ConversationMessage.objects.get(role="assistant")


def tell(stage: Stage, *statuses: dict[str, object], **kwargs: Any) -> None:
    assert stage.post(delivery(change(statuses=list(statuses), **kwargs))).json() == {"ok": True}


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_the_final_status_is_the_highest_whatever_the_order(
    stage: Stage, reply: ConversationMessage, order: tuple[str, ...]
) -> None:
    for word in [*order, *order]:
        tell(stage, status(word, wamid=WAMID))
    reply.refresh_from_db()
    assert reply.status == "read"
    assert reply.delivered_at is not None


def test_all_statuses_of_one_delivery_are_handled(stage: Stage, reply: ConversationMessage) -> None:
    tell(stage, status("read", wamid=WAMID), {"nonsense": 1}, status("delivered", wamid=WAMID))
    reply.refresh_from_db()
    assert (reply.status, reply.delivered_at is not None) == ("read", True)


def test_a_status_that_comes_before_the_wamid_is_known_finds_its_message_by_our_id(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    conversation = Conversation.objects.get()
    message = ConversationMessage.objects.create(
        conversation=conversation, role="assistant", text="x", status="sending", origin="assistant"
    )
    tell(stage, status("delivered", wamid="wamid.early", message_id=message.pk))
    message.refresh_from_db()
    assert (message.status, message.external_id) == ("delivered", "wamid.early")


def test_a_refusal_after_acceptance_is_shown_with_its_reason(stage: Stage, reply: ConversationMessage) -> None:
    tell(stage, status("failed", wamid=WAMID, errors=[error(131026, "Message undeliverable", "No WhatsApp")]))
    tell(stage, status("sent", wamid=WAMID))
    reply.refresh_from_db()
    assert (reply.status, reply.error_code) == ("failed", 131026)
    assert "undeliverable" in reply.error_detail
    assert "undeliverable" in Conversation.objects.get().needs_person
    assert NotificationIncident.objects.get().kind == Kind.FAILED


def test_what_arrived_does_not_become_failed(stage: Stage, reply: ConversationMessage) -> None:
    tell(stage, status("delivered", wamid=WAMID))
    tell(stage, status("failed", wamid=WAMID, errors=[error(131026, "Message undeliverable")]))
    reply.refresh_from_db()
    assert reply.status == "delivered"
    assert Conversation.objects.get().needs_person == ""


def test_a_status_of_another_number_changes_nothing(stage: Stage, reply: ConversationMessage) -> None:
    tell(stage, status("read", wamid=WAMID, message_id=reply.pk), phone_number_id="999")
    reply.refresh_from_db()
    assert reply.status == "sent"


def test_an_id_of_another_systems_numbering_changes_nothing(stage: Stage, reply: ConversationMessage) -> None:
    tell(stage, status("read", wamid="wamid.someone.elses", message_id=reply.pk))
    reply.refresh_from_db()
    assert reply.status == "sent"


def test_a_customers_message_has_no_status(stage: Stage, reply: ConversationMessage) -> None:
    inbound_id = ConversationMessage.objects.get(role="user").external_id
    tell(stage, status("read", wamid=inbound_id))
    assert ConversationMessage.objects.get(role="user").status == ""


def test_an_uncertain_message_is_settled_and_its_flag_cleared(stage: Stage, reply: ConversationMessage) -> None:
    ConversationMessage.objects.filter(pk=reply.pk).update(status="uncertain", external_id=None)
    handover.mark_needs_person([reply.conversation_id], handover.UNCERTAIN)
    tell(stage, status("sent", wamid="wamid.settled", message_id=reply.pk))
    reply.refresh_from_db()
    assert (reply.status, reply.external_id) == ("sent", "wamid.settled")
    assert Conversation.objects.get().needs_person == ""


def test_a_flag_set_while_the_status_arrived_is_cleared(
    stage: Stage, reply: ConversationMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender gives up waiting for Graph's response after the status has found its message but before it's
    applied."""
    ConversationMessage.objects.filter(pk=reply.pk).update(status="sending")

    def find(updates: Sequence[tuple[StatusUpdate, int]]) -> list[Found | None]:
        found = status_updates_find(updates)
        unanswered = SendFailed("No answer.", Policy.UNCERTAIN)
        assert recording.record([Attempt(reply.pk, 1, failure=unanswered)]) == [False]
        return found

    monkeypatch.setattr(status_updates, "find", find)
    tell(stage, status("sent", wamid=WAMID))
    reply.refresh_from_db()
    assert (reply.status, Conversation.objects.get().needs_person) == ("sent", "")


@pytest.mark.parametrize("policy", [Policy.WAIT, Policy.HOLD, Policy.RETRY, Policy.FAIL])
def test_a_refusal_that_arrives_after_we_gave_up_waiting_fails_the_message(
    reply: ConversationMessage, policy: Policy
) -> None:
    """Later messages may have been sent by then, so it isn't put back."""
    ConversationMessage.objects.filter(pk=reply.pk).update(status="uncertain")
    recording.record([Attempt(reply.pk, 1, failure=SendFailed("Too fast.", policy))])
    reply.refresh_from_db()
    assert (reply.status, reply.error_detail) == ("failed", "Too fast.")
    assert "Too fast." in Conversation.objects.get().needs_person
