"""The assistant comes back: a conversation that a person took over is its again after the time that the tenant sets."""

import datetime as dt
import logging

from django.db import connection, transaction
from django.db.models.functions import Now

from assistant.model import context
from conversations.history.messages import get_last_messages
from conversations.models import Conversation, Status

from . import opening
from .opening import UnansweredMessage

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 500
LOOKED_THROUGH = 50  # messages: so many of the newest are looked at for what is unanswered

# From the few tenants that set a time, into the index conversation_with_person.
_DUE = """
SELECT c.id, c.person_at FROM assistants a JOIN conversations c ON c.tenant_id = a.tenant_id
WHERE a.returns_after_minutes IS NOT NULL AND c.handled_by = 'operator'
    AND c.person_at <= statement_timestamp() - a.returns_after_minutes * interval '1 minute'
ORDER BY c.person_at LIMIT %s
"""


def sweep() -> int:
    """Give the assistant what no person has written in for long enough. How many conversations."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [SWEPT_AT_ONCE])
        due = cursor.fetchall()
    return sum(_come_back(pk, person_at) for pk, person_at in due)


def _come_back(conversation_id: int, person_at: dt.datetime) -> bool:
    """False when a person wrote after all, or another worker was first."""
    with transaction.atomic():
        # The row's lock: what the customer writes is either stored by now and seen here, or finds the assistant back.
        moved = Conversation.objects.filter(
            pk=conversation_id, handled_by=Conversation.Handler.OPERATOR, person_at=person_at
        ).update(handled_by=Conversation.Handler.ASSISTANT, operator=None, updated_at=Now())
        if moved and Conversation.objects.filter(pk=conversation_id, is_active=True).exists():
            opening.open_for(_unanswered(conversation_id))
    if moved:
        logger.info("conv_id=%s: no person wrote for long; the assistant has it again", conversation_id)
    return bool(moved)


def _unanswered(conversation_id: int) -> list[UnansweredMessage]:
    """What the customer said after the last message of ours that was not given up."""
    found = []
    for message in reversed(get_last_messages(conversation_id, LOOKED_THROUGH)):
        if message.role == "assistant" and message.status != Status.FAILED:
            break
        if message.role == "user" and message.kind not in context.SILENT and not message.revoked_at:
            found.append(UnansweredMessage(conversation_id, message.pk, at_once=False))
    return found[::-1]


def returns_at(conversation: Conversation) -> dt.datetime | None:
    """When the assistant has this conversation again; None: not before a person hands it back."""
    if conversation.handled_by != Conversation.Handler.OPERATOR or conversation.person_at is None:
        return None
    minutes = opening.assistant_of(conversation).returns_after_minutes
    return None if minutes is None else conversation.person_at + dt.timedelta(minutes=minutes)
