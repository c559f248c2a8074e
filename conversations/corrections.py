"""Edits and revokes: what the sender took back, in the history too."""

from django.db.models.functions import Now
from django.utils import timezone

from .models import ConversationMessage


def edit(conversation_id: int, wamid: str, text: str) -> bool:
    """Put the new text in place of the stored one and keep the former. False when there is no such message."""
    message = _find(conversation_id, wamid)
    if message is None or message.revoked_at:
        return False
    message.edits = [*message.edits, {"text": message.text, "until": timezone.now().isoformat()}]
    message.text = text
    message.save(update_fields=["edits", "text"])
    return True


def revoke(conversation_id: int, wamid: str) -> bool:
    """Blank a message that its sender deleted, former texts and raw piece included."""
    message = _find(conversation_id, wamid)
    if message is None:
        return False
    ConversationMessage.objects.filter(pk=message.pk).update(text="", edits=[], raw_json=None, revoked_at=Now())
    return True


def _find(conversation_id: int, wamid: str) -> ConversationMessage | None:
    return ConversationMessage.objects.filter(conversation_id=conversation_id, external_id=wamid).first()
