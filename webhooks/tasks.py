"""The sending of what was recorded, and the sweep."""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from runtime.database import database_sync_to_async

from . import delivery, wire
from .delivery import from_now
from .models import WebhookDelivery, WebhookEvent
from .recording import wake

logger = logging.getLogger(__name__)

SWEPT_AT_ONCE = 500
WAKE_AGAIN_SECONDS = 60
KEPT_SECONDS = 30 * 86_400  # the delivery log
PLACES = 20  # of one endpoint in this process: one that hangs must not take all the places from the others
_places: Counter[int] = Counter()


@app.task
async def deliver(delivery_id: int) -> None:
    """Send one delivery if it is due. Harmless to run twice."""
    attempt = await database_sync_to_async(delivery.claim)(delivery_id)
    if attempt is None:
        return
    if _places[attempt.endpoint_id] >= PLACES:
        await database_sync_to_async(delivery.release)(attempt)
        return
    with _place(attempt.endpoint_id):
        answer = await wire.post(attempt.url, attempt.body, attempt.headers)
    if not answer.is_good:
        logger.warning("delivery %s to webhook %s: %s %s", delivery_id, attempt.endpoint_id, answer.code, answer.error)
    await database_sync_to_async(delivery.settle)(attempt, answer)


@contextlib.contextmanager
def _place(endpoint_id: int) -> Iterator[None]:
    _places[endpoint_id] += 1
    try:
        yield
    finally:
        _places[endpoint_id] -= 1
        if not _places[endpoint_id]:
            del _places[endpoint_id]


def sweep() -> int:
    """Find what fell asleep: due deliveries that nobody fetched. How many. And clear the log of what is old."""
    old = WebhookEvent.objects.filter(created_at__lt=from_now(-KEPT_SECONDS)).order_by("created_at")
    WebhookEvent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:SWEPT_AT_ONCE])).delete()
    with transaction.atomic():
        due = WebhookDelivery.objects.filter(
            Q(woken_at__isnull=True) | Q(woken_at__lt=from_now(-WAKE_AGAIN_SECONDS * settings.RETRY_TIME_SCALE)),
            status=WebhookDelivery.Status.WAITING,
            next_attempt_at__lt=from_now(-settings.SWEEP_SECONDS / 3),
        )
        rows = due.select_for_update(skip_locked=True).order_by("id")
        ids = list(rows.values_list("id", flat=True)[:SWEPT_AT_ONCE])
        WebhookDelivery.objects.filter(pk__in=ids).update(woken_at=Now())
        wake(ids)
    return len(ids)
