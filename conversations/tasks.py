"""The delivery of what the outbox holds."""

import logging

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from conversations.outbox.senders import Outbound, Sender, SendFailed, load_sender
from runtime import crashpoints
from runtime.clock import ago
from runtime.database import database_sync_to_async

from .models import ConversationMessage, Status
from .outbox import queue as outbox

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 500
WAKE_AGAIN_SECONDS = 60  # a row that is still due is not woken more often than this


@app.task(priority=1)  # before the making of further replies, which may be many
async def deliver(message_id: int) -> None:
    """Send one queued message, then those behind it in its conversation. Harmless to run twice."""
    pending: int | None = message_id
    while pending is not None:
        outbound = await database_sync_to_async(outbox.claim)(pending)
        if outbound is None:
            return
        crashpoints.reach("C9")
        pending = await _send(load_sender(), outbound)


async def _send(sender: Sender, outbound: Outbound) -> int | None:
    """One attempt and its entry in the row. The answer: the next message to send."""
    try:
        wamid = await sender.send(outbound)
    except SendFailed as failure:
        logger.warning("message %s not sent: %s", outbound.message_id, failure.detail)
        return await database_sync_to_async(outbox.record_failure)(outbound.message_id, failure)
    crashpoints.reach("C11")
    return await database_sync_to_async(outbox.record_sent)(outbound.message_id, wamid)


def sweep() -> int:
    """Find what fell asleep: queued messages that nobody fetched, and *sending* without an end. How many."""
    stuck = ConversationMessage.objects.filter(status=Status.SENDING, sending_at__lt=ago(settings.SENDING_SECONDS))
    given_up = 0
    for message_id in stuck.order_by("id").values_list("id", flat=True)[:SWEPT_AT_ONCE]:
        given_up += outbox.give_up_waiting(message_id, "The process that sent it ended before the answer.")
    with transaction.atomic():
        due = ConversationMessage.objects.filter(
            Q(woken_at__isnull=True) | Q(woken_at__lt=ago(WAKE_AGAIN_SECONDS * settings.RETRY_TIME_SCALE)),
            status=Status.QUEUED,
            next_attempt_at__lt=ago(settings.SWEEP_SECONDS / 3),
        )
        rows = due.select_for_update(skip_locked=True).order_by("id")
        due_ids = list(rows.values_list("id", flat=True)[:SWEPT_AT_ONCE])
        ConversationMessage.objects.filter(pk__in=due_ids).update(woken_at=Now())
        outbox.wake(due_ids)
    return given_up + len(due_ids)
