"""Who handles a conversation: taking over, handing back, and flagging what needs someone's attention."""

from collections.abc import Callable, Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from audit.acting import current
from audit.choices import Action
from audit.recording import record, words
from notifications.choices import Kind
from runtime.notify import notify_workers_on_commit

from . import notifying, webhook_events
from .choices import HandoverReason
from .models import Conversation, ConversationMessage, Status, lock

TAKEN_OVER = "Not sent: someone took over the conversation first."
UNCERTAIN = "A reply may not have been delivered: WhatsApp did not confirm it."
WAITING = "A reply is waiting: "
ABOUT_A_REPLY = "A reply "  # every reason about a reply begins like this

UNFLAGGED = {"needs_person": "", "needs_person_since": None, "handover_reason": "", "handover_summary": ""}

HandBackHook = Callable[[int], None]
_hand_back_hooks: list[HandBackHook] = []


def on_hand_back(hook: HandBackHook) -> HandBackHook:
    """Register a function to be called with the conversation's ID in the transaction that hands it back.

    The assistant uses this to answer what the customer wrote in the meantime: this app can't import the assistant.
    """
    _hand_back_hooks.append(hook)
    return hook


def take_over(conversation_id: int, user: User | None) -> None:
    """Make this person the handler of the conversation (None: someone replied in the WhatsApp app).

    Cancels the assistant's queued replies. A reply that is already *sending* may still arrive.
    """
    with transaction.atomic():
        taken = Conversation.objects.filter(pk=conversation_id)
        if user:
            for conversation in taken.exclude(handled_by=Conversation.Handler.OPERATOR, operator=user):
                record(Action.TOOK_OVER, [conversation.tenant_id], conversation, object=words(conversation))
        taken.update(handled_by=Conversation.Handler.OPERATOR, operator=user, person_at=Now(), updated_at=Now())
        queued = ConversationMessage.objects.filter(
            conversation_id=conversation_id, origin="assistant", status=Status.QUEUED
        )
        queued.update(status=Status.FAILED, failed_at=Now(), error_detail=TAKEN_OVER)
        notifying.opened([conversation_id])


def hand_back(conversation_id: int) -> None:
    """Return the conversation to the assistant, which answers any unanswered messages. Clears the flag."""
    with transaction.atomic():
        handed_back = Conversation.objects.filter(pk=conversation_id, handled_by=Conversation.Handler.OPERATOR).update(
            handled_by=Conversation.Handler.ASSISTANT,
            operator=None,
            **UNFLAGGED,
            updated_at=Now(),
        )
        if handed_back:
            for conversation in Conversation.objects.filter(pk=conversation_id) if current() else ():
                record(Action.HANDED_BACK, [conversation.tenant_id], conversation, object=words(conversation))
            notifying.answered([conversation_id])
            for hook in _hand_back_hooks:
                hook(conversation_id)


def mark_needs_person(
    conversation_ids: Iterable[int],
    reason: str | HandoverReason,
    summary: str = "",
    kind: Kind | None = Kind.HANDOVER,
) -> None:
    """Flag conversations that someone on the team should look at. A HandoverReason: the assistant asks for a person.

    The time since which a conversation needs someone doesn't change if it's already flagged. kind: what the team is
    notified of; None if they're notified of the cause, such as a paused number, once for all conversations.
    """
    ids, words = list(conversation_ids), reason.label if isinstance(reason, HandoverReason) else reason[:255]
    changes: dict[str, object] = {"needs_person": words, "needs_person_since": Coalesce("needs_person_since", Now())}
    if isinstance(reason, HandoverReason):
        # An earlier summary is better than none; there's none left from an earlier flag.
        changes |= {"handover_reason": reason, "handover_summary": summary or F("handover_summary")}
    with transaction.atomic(savepoint=False):
        webhook_events.needs_person(ids, words, summary)
        Conversation.objects.filter(pk__in=ids).update(**changes, updated_at=Now())
        if kind:
            notifying.flagged(ids, kind, words, summary)


def clear_needs_person(conversation_ids: Iterable[int]) -> int:
    """Clear the flags of these conversations. Returns how many were flagged."""
    ids = list(conversation_ids)
    flagged = Conversation.objects.filter(pk__in=ids).exclude(needs_person="")
    with transaction.atomic(savepoint=False):
        cleared = flagged.update(**UNFLAGGED, updated_at=Now())
        if cleared:
            notifying.unflagged(ids)
    return cleared


def end_reason(rows: "QuerySet[Conversation]") -> None:
    """The reason for which these conversations are flagged is gone. What the assistant asked a person for isn't."""
    asked = (When(handover_reason=reason, then=Value(reason.label)) for reason in HandoverReason)
    rows.update(
        needs_person=Case(*asked, default=Value("")),
        needs_person_since=Case(When(~Q(handover_reason=""), then=F("needs_person_since"))),
        updated_at=Now(),
    )


def clear_waiting(conversation_ids: Iterable[int]) -> None:
    """Clear the *waiting* flag of the conversations whose replies have all been sent."""
    unsent = ConversationMessage.objects.filter(conversation=OuterRef("pk"), status__in=[Status.QUEUED, Status.SENDING])
    waiting = Conversation.objects.filter(pk__in=list(conversation_ids), needs_person__startswith=WAITING)
    end_reason(waiting.filter(~Exists(unsent)))


def send_again(message_id: int, user: User) -> bool:
    """Queue a failed or uncertain message again. False if it's no longer either."""
    with transaction.atomic():
        lock(messages=message_id)
        moved = ConversationMessage.objects.filter(pk=message_id, status__in=[Status.FAILED, Status.UNCERTAIN]).update(
            status=Status.QUEUED,
            # It now comes from this person, so it is sent even while the assistant is paused.
            origin="operator",
            author=user,
            attempts=0,
            external_id=None,  # the next attempt gets its own wamid
            next_attempt_at=Now(),
            failed_at=None,
            error_code=None,
            error_detail="",
        )
        if moved:
            notify_workers_on_commit()
            troubled = Conversation.objects.filter(messages=message_id, needs_person__startswith=ABOUT_A_REPLY)
            end_reason(troubled.exclude(messages__status=Status.UNCERTAIN))
    return bool(moved)


def mark_delivered(message_id: int, user: User) -> bool:
    """Record that an uncertain message did arrive. False if it's no longer uncertain."""
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
    """Clear the *uncertain* flag of a message's conversation once none of its messages is uncertain."""
    conversation = Conversation.objects.filter(messages=message_id, needs_person=UNCERTAIN)
    end_reason(conversation.exclude(messages__status=Status.UNCERTAIN))
