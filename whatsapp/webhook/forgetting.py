"""What a customer deletes disappears everywhere, not only from the history: whatever was made from it, too.

What the business wrote itself stays: its replies, notes, knowledge and what its people entered in a lead.
"""

from collections.abc import Iterable

from django.db.models import TextField
from django.db.models.functions import Cast

from assistant.models import Turn, TurnStep
from conversations import notifying
from conversations.history.corrections import Revoked
from conversations.models import Conversation
from knowledge.models import UnansweredQuestion
from leads import capture
from notifications.choices import Kind
from notifications.models import NotificationIncident
from webhooks.models import EventType, WebhookEvent
from whatsapp.models import QuarantinedEvent


def forget(deleted: Iterable[Revoked]) -> None:
    """Customers deleted these messages. Their conversations are locked."""
    for message in deleted:
        if message.origin != "customer":  # what the business deletes isn't the customer's
            continue
        capture.forget(message.conversation_id, message.message_id, message.texts)
        UnansweredQuestion.objects.filter(message_id=message.message_id).delete()
        _forget_turns(message)
        _forget_summaries(message)


def _forget_turns(message: Revoked) -> None:
    """What the model said and looked up since then may quote it. A turn that is still open needs its steps."""
    turns = Turn.objects.filter(conversation=message.conversation_id, last_message_id__gte=message.message_id)
    ended = turns.exclude(state__in=Turn.OPEN)
    TurnStep.objects.filter(turn__in=ended.values("pk")).delete()
    ended.filter(waits_for="").exclude(error="", warning="").update(error="", warning="")


def _forget_summaries(message: Revoked) -> None:
    """The assistant's summaries for the team since then. Its reasons stay."""
    conversation = Conversation.objects.filter(pk=message.conversation_id)
    conversation.exclude(handover_summary="").update(handover_summary="")
    (subject,) = notifying.subjects([message.conversation_id])
    told = NotificationIncident.objects.filter(subject=subject, kind=Kind.HANDOVER, opened_at__gte=message.stored_at)
    if told.update(text=""):
        events = WebhookEvent.objects.filter(
            tenant__in=conversation.values("tenant"), type=EventType.NEEDS_PERSON, created_at__gte=message.stored_at
        )
        for event in events.filter(payload__conversation__id=message.conversation_id):
            event.payload["summary"] = ""
            event.save(update_fields=["payload"])


def forget_quarantined(tenant_id: int, wamid: str) -> None:
    """The message may never have been stored, but kept aside."""
    waiting = QuarantinedEvent.objects.filter(tenant=tenant_id, resolved_at=None)
    waiting.annotate(as_text=Cast("raw", TextField())).filter(as_text__contains=f'"{wamid}"').delete()
