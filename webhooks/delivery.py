"""The life of a webhook delivery: attempted, settled, retried, given up.

Rows are the truth and jobs are wake-ups: everything here is safe to run twice, late, or not at all. If a process dies
during an attempt, its claim expires and the delivery is attempted again: at least once, not exactly once.
"""

import json
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from runtime.backlog import unlocked
from runtime.clock import ago, from_now

from .models import EventType, WebhookDelivery, WebhookEndpoint
from .recording import BACKLOG
from .signature import sign
from .wire import Answer

# Seconds to wait after the first, second, … attempt: a day in total.
WAITS = (10, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 28_800)
DISABLED_AFTER_DAYS = 3
GONE = 410
SUSPENDED_SECONDS = 3600

Status = WebhookDelivery.Status


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claimed delivery, ready to be sent. `number` is the fence: a later attempt has a higher one."""

    delivery_id: int
    endpoint_id: int
    number: int
    url: str
    body: bytes
    headers: dict[str, str]
    is_test: bool = False


def attempt(delivery_id: int) -> Attempt | None:
    """What to send for a delivery that was just claimed. None if its endpoint is disabled, or it was deleted."""
    delivery = WebhookDelivery.objects.select_related("event__tenant", "endpoint").filter(pk=delivery_id).first()
    if delivery is None:
        return None
    if not delivery.endpoint.is_active:
        _give_up(WebhookDelivery.objects.filter(pk=delivery_id), "The endpoint is disabled.")
        return None
    event = delivery.event
    if not event.tenant.is_active:  # suspended: `privacy.resuming` makes it due again
        with transaction.atomic():
            mine = unlocked(WebhookDelivery.objects.filter(pk=delivery_id, attempts=delivery.attempts))
            mine.update(attempts=F("attempts") - 1, next_attempt_at=from_now(SUSPENDED_SECONDS))
        return None
    content = {
        "id": str(event.id),
        "type": event.type,
        "timestamp": event.created_at.isoformat(),
        "data": event.payload,
    }
    body = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    return Attempt(
        delivery_id=delivery.pk,
        endpoint_id=delivery.endpoint_id,
        number=delivery.attempts,
        url=delivery.endpoint.url,
        body=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "Parley-Webhooks/1",
            **sign(str(event.id), int(time.time()), body, delivery.endpoint.secret),
        },
        is_test=event.type == EventType.TEST,
    )


def settle(attempt: Attempt, answer: Answer) -> None:
    """Record the outcome of an attempt and the health of its endpoint. A test is tried once, and says nothing of that.

    Nothing is recorded if a later attempt has begun, or if the row is locked: then the claim expires.
    """
    known = {"response_code": answer.code, "error": answer.error}
    endpoint = WebhookEndpoint.objects.filter(pk=attempt.endpoint_id)
    with transaction.atomic():
        mine = unlocked(
            WebhookDelivery.objects.filter(pk=attempt.delivery_id, status=Status.WAITING, attempts=attempt.number)
        )
        if answer.is_good:
            mine.update(status=Status.DELIVERED, delivered_at=Now(), **known)
            unlocked(endpoint.filter(failing_since__isnull=False)).update(failing_since=None)
            return
        if attempt.is_test:
            mine.update(status=Status.FAILED, **known)
            return
        if attempt.number > len(WAITS):
            mine.update(status=Status.FAILED, **known)
        else:
            mine.update(next_attempt_at=from_now(WAITS[attempt.number - 1] * settings.RETRY_TIME_SCALE), **known)
        unlocked(endpoint.filter(failing_since=None)).update(failing_since=Now())
    _disable_if_dead(endpoint, answer)


def _disable_if_dead(endpoint: "QuerySet[WebhookEndpoint]", answer: Answer) -> None:
    """Disable an endpoint that says it's gone, or that has failed for days, and note the reason on it."""
    dead = Q(failing_since__lt=ago(DISABLED_AFTER_DAYS * 86_400))
    reason = f"Nothing was delivered for {DISABLED_AFTER_DAYS} days. Last response: {answer.code or answer.error}"
    if answer.code == GONE:
        dead, reason = Q(), "It answered 410 Gone."
    with transaction.atomic():
        if unlocked(endpoint.filter(dead, is_active=True)).update(is_active=False, disabled_reason=reason[:255]):
            _give_up(WebhookDelivery.objects.filter(endpoint__in=endpoint), "The endpoint was disabled.")


def _give_up(deliveries: "QuerySet[WebhookDelivery]", why: str) -> None:
    with transaction.atomic():
        unlocked(deliveries.filter(status=Status.WAITING)).update(status=Status.FAILED, error=why)


def send_again(deliveries: "QuerySet[WebhookDelivery]") -> int:
    """Start over with deliveries that have ended. Returns their number. Waiting deliveries aren't changed."""
    with transaction.atomic():
        ended = unlocked(deliveries.exclude(status=Status.WAITING)).update(
            status=Status.WAITING, attempts=0, next_attempt_at=Now(), response_code=None, error="", delivered_at=None
        )
        BACKLOG.wake(ended)
    return ended
