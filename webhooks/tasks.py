"""The jobs that send webhooks, and the cleanup of their log."""

import logging

from django.db import transaction
from procrastinate.contrib.django import app

from runtime.clock import ago
from runtime.database import database_sync_to_async
from runtime.jobs import BATCH, every

from . import delivery, wire
from .models import WebhookEvent
from .recording import BACKLOG

logger = logging.getLogger(__name__)

KEPT_SECONDS = 30 * 86_400  # the delivery log


@app.task(queue="webhooks")
async def deliver() -> None:
    """Send the next delivery that is due. Safe to run twice."""
    await BACKLOG.run(_send)


async def _send(delivery_id: int) -> None:
    attempt = await database_sync_to_async(delivery.attempt)(delivery_id)
    if attempt is None:
        return
    answer = await wire.post(attempt.url, attempt.body, attempt.headers)
    if not answer.is_good:
        logger.warning("delivery %s to webhook %s: %s %s", delivery_id, attempt.endpoint_id, answer.code, answer.error)
    await database_sync_to_async(delivery.settle)(attempt, answer)


@every(1)
def find_due() -> int:
    return BACKLOG.find_due()


@every(60)
def delete_old_events() -> int:
    old = WebhookEvent.objects.filter(created_at__lt=ago(KEPT_SECONDS)).order_by("created_at")
    with transaction.atomic():
        ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
        WebhookEvent.objects.filter(pk__in=ids).delete()
    return len(ids)
