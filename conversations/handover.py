"""What a person does with a conversation: step in, hand back, settle what the machine cannot."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from runtime.notify import notify_workers_on_commit

from . import webhook_events
from .models import Conversation, ConversationMessage, Status, lock

TAKEN_OVER = "A person took the conversation over before this was sent."
UNCERTAIN = "A reply may not have arrived: nobody answered when it was sent."


def take_over(conversation_id: int, user: User | None) -> None:
    """A person has the conversation from now on (None: somebody at the WhatsApp app).

    What the assistant had queued is not sent any more; what is *sending* may still arrive.
    """
    with transaction.atomic():
        Conversation.objects.filter(pk=conversation_id).update(
            handled_by=Conversation.Handler.OPERATOR, operator=user, person_at=Now(), updated_at=Now()
        )
        queued = ConversationMessage.objects.filter(
            conversation_id=conversation_id, origin="assistant", status=Status.QUEUED
        )
        queued.update(status=Status.FAILED, failed_at=Now(), error_detail=TAKEN_OVER)


def hand_back(conversation_id: int, user: User) -> None:
    """The assistant has it again: it answers what the customer writes next."""
    Conversation.objects.filter(pk=conversation_id).update(
        handled_by=Conversation.Handler.ASSISTANT, operator=None, updated_at=Now()
    )


def mark_needs_person(conversation_ids: Iterable[int], reason: str) -> None:
    """Mark conversations as in need of a person, and say why."""
    ids, words = list(conversation_ids), reason[:255]
    with transaction.atomic(savepoint=False):
        webhook_events.needs_person(ids, words)
        Conversation.objects.filter(pk__in=ids).update(needs_person=words, needs_person_since=Now(), updated_at=Now())


def clear_needs_person(conversation_id: int) -> None:
    Conversation.objects.filter(pk=conversation_id).update(needs_person="", needs_person_since=None, updated_at=Now())


def send_again(message_id: int, user: User) -> bool:
    """Queue a failed or uncertain message once more. False when it is neither (any more)."""
    with transaction.atomic():
        lock(messages=message_id)
        moved = ConversationMessage.objects.filter(pk=message_id, status__in=[Status.FAILED, Status.UNCERTAIN]).update(
            status=Status.QUEUED,
            # A person wants it sent: the assistant's silence does not hold it back.
            origin="operator",
            author=user,
            attempts=0,
            external_id=None,  # the statuses of the next attempt bring a wamid of their own
            next_attempt_at=Now(),
            failed_at=None,
            error_code=None,
            error_detail="",
        )
        if moved:
            notify_workers_on_commit()
            clear_uncertain(message_id)
    return bool(moved)


def mark_delivered(message_id: int, user: User) -> bool:
    """A person knows that an uncertain message arrived. False when it is not uncertain (any more)."""
    with transaction.atomic():
        lock(messages=message_id)
        moved = ConversationMessage.objects.filter(pk=message_id, status=Status.UNCERTAIN).update(
            status=Status.DELIVERED, delivered_at=Now(), error_detail=f"Confirmed by {user}."
        )
        if moved:
            clear_uncertain(message_id)
            webhook_events.sent([message_id])
    return bool(moved)


def clear_uncertain(message_id: int) -> None:
    """Take down the *uncertain* sign of a message's conversation when none of its messages is uncertain."""
    conversation = Conversation.objects.filter(messages=message_id, needs_person=UNCERTAIN)
    conversation.exclude(messages__status=Status.UNCERTAIN).update(
        needs_person="", needs_person_since=None, updated_at=Now()
    )
