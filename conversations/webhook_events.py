"""The webhook events of conversations. Without a subscriber, they cost one query."""

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from webhooks.models import EventType
from webhooks.recording import EventDraft, has_subscriber, record_all

from .history.details import with_details
from .models import Conversation, ConversationMessage


def received(message_ids: Iterable[int]) -> None:
    """A customer wrote these messages. Only call it if there is a subscriber, which the ingest knows."""
    _tell(EventType.MESSAGE_RECEIVED, ConversationMessage.objects.filter(pk__in=list(message_ids)))


def sent(message_ids: Sequence[int]) -> None:
    """The channel accepted these messages."""
    told = ConversationMessage.objects.filter(
        has_subscriber(EventType.REPLY_SENT, "conversation__tenant_id"), pk__in=message_ids, role="assistant"
    )
    _tell(EventType.REPLY_SENT, told)


def needs_person(conversation_ids: Sequence[int], reason: str, summary: str = "") -> None:
    """These conversations are about to be flagged. Those with the same reason already send no second event."""
    told = Conversation.objects.filter(has_subscriber(EventType.NEEDS_PERSON, "tenant_id"), pk__in=conversation_ids)
    record_all(
        [
            EventDraft(
                each.tenant_id,
                EventType.NEEDS_PERSON,
                {"reason": reason, "summary": summary, "conversation": _conversation(each)},
            )
            for each in told.exclude(needs_person=reason)
        ]
    )


def _tell(type: EventType, messages: "QuerySet[ConversationMessage]") -> None:
    record_all(
        [
            EventDraft(
                message.conversation.tenant_id,
                type,
                {"message": _message(message), "conversation": _conversation(message.conversation)},
                subject=message.pk,
            )
            for message in with_details(messages.select_related("conversation", "author").order_by("pk"))
        ]
    )


def _conversation(conversation: Conversation) -> dict[str, object]:
    names = ("id", "phone_number_id", "external_id", "contact_user_id", "contact_name", "handled_by")
    return {name: getattr(conversation, name) for name in names}


def _message(message: ConversationMessage) -> dict[str, object]:
    names = ("id", "role", "origin", "kind", "text", "external_id", "reply_to")
    return {
        **{name: getattr(message, name) for name in names},
        "author": str(message.author) if message.author else None,
        "sent_at": message.sent_at.isoformat() if message.sent_at else None,
        **message.details,
    }
