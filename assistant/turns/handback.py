"""Handing conversations back to the assistant automatically, and answering what's still open then."""

import datetime as dt
import logging

from django.db import connection, transaction
from django.db.models.functions import Now

from assistant import restores
from assistant.model import context
from assistant.models import Assistant
from conversations import handover, notifying
from conversations.choices import GROUP, MessageOrigin
from conversations.history.messages import get_last_messages
from conversations.models import Conversation, Status
from runtime.notify import notify_workers_on_commit

from . import opening
from .opening import UnansweredMessage

logger = logging.getLogger(__name__)

BATCH = 500
LOOKED_THROUGH = 50  # the newest messages that are searched for unanswered ones

# From the few businesses that set a time, into the index conversation_with_person.
_DUE = """
SELECT c.id, c.person_at FROM assistants a JOIN conversations c ON c.tenant_id = a.tenant_id
WHERE a.returns_after_minutes IS NOT NULL AND c.handled_by = 'operator'
    AND c.person_at <= statement_timestamp() - a.returns_after_minutes * interval '1 minute'
ORDER BY c.person_at LIMIT %s
"""


def hand_back_due() -> int:
    """Hand back the conversations in which no one from the team has written for long enough. Returns their number."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [BATCH])
        due = cursor.fetchall()
    return sum(_hand_back(pk, person_at) for pk, person_at in due)


def _hand_back(conversation_id: int, person_at: dt.datetime) -> bool:
    """False if someone has written after all, or another worker was faster."""
    with transaction.atomic():
        # With the row's lock, a message from the customer is either already stored and seen here, or it finds the
        # conversation handed back.
        moved = Conversation.objects.filter(
            pk=conversation_id, handled_by=Conversation.Handler.OPERATOR, person_at=person_at
        ).update(handled_by=Conversation.Handler.ASSISTANT, operator=None, updated_at=Now())
        if moved:
            notifying.answered([conversation_id])
            answer_open_messages(conversation_id)
    if moved:
        logger.info("conv_id=%s: handed back to the assistant automatically", conversation_id)
    return bool(moved)


@handover.on_hand_back
def answer_open_messages(conversation_id: int) -> None:
    """Open a turn for what the customer wrote since our last message. Lock the conversation first."""
    active = Conversation.objects.filter(pk=conversation_id, is_active=True)
    if not active.exclude(external_id__startswith=GROUP).exists():
        return
    if opening.open_for(_unanswered(conversation_id)).is_due:
        notify_workers_on_commit()


def _unanswered(conversation_id: int) -> list[UnansweredMessage]:
    found = []
    for message in reversed(get_last_messages(conversation_id, LOOKED_THROUGH)):
        if message.origin == MessageOrigin.AUTOMATIC:
            continue
        if message.role == "assistant" and message.status != Status.FAILED:
            break
        is_spoken = message.kind not in context.SILENT and not message.revoked_at
        if message.role == "user" and is_spoken and message.refused != restores.HELD:
            found.append(UnansweredMessage(conversation_id, message.pk, at_once=False))
    return found[::-1]


def returns_at(conversation: Conversation) -> dt.datetime | None:
    """When this conversation is handed back automatically; None if it isn't."""
    if conversation.handled_by != Conversation.Handler.OPERATOR or conversation.person_at is None:
        return None
    minutes = Assistant.of(conversation.tenant_id).returns_after_minutes
    return None if minutes is None else conversation.person_at + dt.timedelta(minutes=minutes)
