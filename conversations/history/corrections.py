"""Edits and revokes: what the sender took back, in the history too."""

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from webhooks.recording import forget_text


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
    """Blank a message that its sender deleted: its former texts, edits, raw pieces and files included."""
    message = _find(conversation_id, wamid)
    if message is None:
        return False
    told = Q(pk=message.pk) | Q(conversation_id=conversation_id, reply_to=wamid, kind="edit")
    ids = list(ConversationMessage.objects.filter(told).values_list("pk", flat=True))
    ConversationMessage.objects.filter(pk__in=ids).update(text="", edits=[], raw_json=None, revoked_at=Now())
    Attachment.objects.filter(message__in=ids).delete()  # their files go when this is committed
    forget_text(ids)
    return True


def _find(conversation_id: int, wamid: str) -> ConversationMessage | None:
    return ConversationMessage.objects.filter(conversation_id=conversation_id, external_id=wamid).first()


def catch_up(conversation_id: int, wamid: str) -> None:
    """Apply the edits and revokes that overtook this message on their way to us."""
    early = ConversationMessage.objects.filter(
        conversation_id=conversation_id, reply_to=wamid, kind__in=["edit", "revoke"]
    )
    for correction in early.order_by("created_at", "id"):
        if correction.kind == "revoke":
            revoke(conversation_id, wamid)
        else:
            edit(conversation_id, wamid, correction.text)
