"""What became of a message we sent: status webhooks move our rows along."""

import logging

from django.db.models import QuerySet

from conversations import handover, webhook_events
from conversations.models import ConversationMessage, Status, lock
from conversations.statuses import BEFORE_SENT

from .types import StatusUpdate

logger = logging.getLogger(__name__)

SENT = (Status.SENT, Status.DELIVERED, Status.READ)


def apply(update: StatusUpdate, tenant_id: int | None) -> bool:
    """Advance the message that this status is about. False when it is none of ours, or got further already."""
    message = _find(update, tenant_id)
    if message is None:
        logger.info("status %s of %s: no message of ours", update.status, update.wamid)
        return False
    if update.wamid and not message.external_id:
        # The process that sent it died before it wrote the wamid down.
        ConversationMessage.objects.filter(pk=message.pk, external_id=None).update(external_id=update.wamid)
    return _advance(message, update)


def _find(update: StatusUpdate, tenant_id: int | None) -> ConversationMessage | None:
    """By our own id, which Meta brings back, else by wamid; within the number that the delivery names."""
    ours = ConversationMessage.objects.filter(
        role="assistant", conversation__phone_number_id=update.phone_number_id, conversation__tenant=tenant_id
    ).exclude(status="")
    return _by_our_id(ours, update) or (ours.filter(external_id=update.wamid).first() if update.wamid else None)


def _by_our_id(ours: QuerySet[ConversationMessage], update: StatusUpdate) -> ConversationMessage | None:
    if update.message_id is None:
        return None
    message = ours.filter(pk=update.message_id).first()
    # The id may be of another system's numbering: a message that has a different wamid is not the one.
    is_ours = message is not None and message.external_id in (None, update.wamid)
    return message if is_ours else None


def _advance(message: ConversationMessage, update: StatusUpdate) -> bool:
    to = Status(update.status)
    # By now it may be uncertain, and its conversation marked so: who waits for the answer may just have given up.
    open_yet = message.status in BEFORE_SENT
    if to == Status.FAILED or open_yet:
        lock(pk=message.conversation_id)
    also = {"error_code": update.error_code, "error_detail": update.error_detail} if to == Status.FAILED else {}
    moved = ConversationMessage.objects.filter(pk=message.pk).advance(to, update.at, **also)
    if moved and to == Status.FAILED:
        handover.mark_needs_person([message.conversation_id], f"A reply did not arrive: {update.error_detail}")
    if moved and open_yet:
        handover.clear_uncertain(message.pk)
    if moved and to != Status.FAILED and message.status not in SENT:
        webhook_events.sent(message.pk)  # whoever sent it may not live to say so, or took it for refused
    return bool(moved)
