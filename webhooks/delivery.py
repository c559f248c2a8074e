"""The life of a delivery: claimed, sent, settled, tried again, given up.

Rows are the truth and jobs are wake-ups: everything here is safe to run twice, late, or not at all. A process that
dies while it sends has claimed the delivery only for a while; then it is sent again: at least once, not exactly once.
"""

import datetime as dt
import json
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from .models import WebhookDelivery, WebhookEndpoint
from .recording import wake
from .signature import sign
from .wire import Answer

# Seconds after the first, second, … try. With the last of them it is a day.
WAITS = (10, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 28_800)
LEASE_SECONDS = 60  # beyond WEBHOOK_SECONDS: how long a claim holds
BUSY_SECONDS = 1
# Where the places are full because nothing gets through: looking for one every second would cost the replies theirs.
BUSY_FAILING_SECONDS = 30
DISABLED_AFTER_DAYS = 3
GONE = 410

Status = WebhookDelivery.Status


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claimed delivery, ready to be sent. `number` is the fence: a later try has a higher one."""

    delivery_id: int
    endpoint_id: int
    number: int
    url: str
    body: bytes
    headers: dict[str, str]
    is_failing: bool  # the last try at its endpoint came to nothing


def from_now(seconds: float) -> Combinable:
    """The database's time in so many seconds."""
    return ExpressionWrapper(Now() + Value(dt.timedelta(seconds=seconds)), output_field=DateTimeField())


def claim(delivery_id: int) -> Attempt | None:
    """Take a due delivery for one try. None: not due, done, or its endpoint is switched off."""
    due = WebhookDelivery.objects.filter(pk=delivery_id, status=Status.WAITING, next_attempt_at__lte=Now())
    lease = from_now(settings.WEBHOOK_SECONDS + LEASE_SECONDS)
    if not due.update(attempts=F("attempts") + 1, next_attempt_at=lease):
        return None
    delivery = WebhookDelivery.objects.select_related("event", "endpoint").get(pk=delivery_id)
    if not delivery.endpoint.is_active:
        _give_up(WebhookDelivery.objects.filter(pk=delivery_id), "The endpoint is switched off.")
        return None
    return _attempt(delivery)


def _attempt(delivery: WebhookDelivery) -> Attempt:
    event = delivery.event
    told = {"id": str(event.id), "type": event.type, "created_at": event.created_at.isoformat(), "data": event.payload}
    body = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Parley-Webhooks/1",
        "Parley-Event-Id": str(event.id),
        "Parley-Event-Type": event.type,
        "Parley-Signature": sign(body, delivery.endpoint.secret, int(time.time())),
    }
    return Attempt(
        delivery_id=delivery.pk,
        endpoint_id=delivery.endpoint_id,
        number=delivery.attempts,
        url=delivery.endpoint.url,
        body=body,
        headers=headers,
        is_failing=delivery.endpoint.failing_since is not None,
    )


def _mine(attempt: Attempt) -> "QuerySet[WebhookDelivery]":
    return WebhookDelivery.objects.filter(pk=attempt.delivery_id, status=Status.WAITING, attempts=attempt.number)


def release(attempt: Attempt) -> None:
    """Give a claimed delivery back untried: this process has no place for its endpoint."""
    wait = BUSY_FAILING_SECONDS if attempt.is_failing else BUSY_SECONDS
    with transaction.atomic():
        if _mine(attempt).update(attempts=F("attempts") - 1, next_attempt_at=from_now(wait)):
            _wake_when_due(attempt.delivery_id)


def settle(attempt: Attempt, answer: Answer) -> None:
    """Enter what came of a try; the endpoint's health with it. Nothing, when a later try has begun meanwhile."""
    endpoint = WebhookEndpoint.objects.filter(pk=attempt.endpoint_id)
    known: dict[str, Any] = {"response_code": answer.code, "error": answer.error}
    with transaction.atomic():  # the endpoint before its deliveries, here and in _disable: nobody waits in a ring
        if answer.is_good:
            endpoint.filter(failing_since__isnull=False).update(failing_since=None)
            _mine(attempt).update(status=Status.DELIVERED, delivered_at=Now(), **known)
            return
        endpoint.filter(failing_since=None).update(failing_since=Now())
        if attempt.number > len(WAITS):
            _mine(attempt).update(status=Status.FAILED, **known)
        elif _mine(attempt).update(next_attempt_at=_next(attempt.number), **known):
            _wake_when_due(attempt.delivery_id)
    _disable(endpoint, answer)


def _next(number: int) -> Combinable:
    return from_now(WAITS[number - 1] * settings.RETRY_TIME_SCALE)


def _wake_when_due(delivery_id: int) -> None:
    wake([delivery_id], WebhookDelivery.objects.values_list("next_attempt_at", flat=True).get(pk=delivery_id))


def _disable(endpoint: "QuerySet[WebhookEndpoint]", answer: Answer) -> None:
    """Switch an endpoint off that says it is gone, or that failed for days, and say so on it."""
    too_long = Q(failing_since__lt=from_now(-DISABLED_AFTER_DAYS * 86_400))
    reason = f"Nothing was delivered for {DISABLED_AFTER_DAYS} days. The last answer: {answer.code or answer.error}"
    if answer.code == GONE:
        too_long, reason = Q(), "It answered 410: gone."
    with transaction.atomic():
        if endpoint.filter(too_long, is_active=True).update(is_active=False, disabled_reason=reason[:255]):
            _give_up(WebhookDelivery.objects.filter(endpoint__in=endpoint), "The endpoint was switched off.")


def _give_up(deliveries: "QuerySet[WebhookDelivery]", why: str) -> None:
    deliveries.filter(status=Status.WAITING).update(status=Status.FAILED, error=why)


def send_again(deliveries: "QuerySet[WebhookDelivery]") -> int:
    """A person wants these sent (again), all tries anew. How many were not waiting."""
    with transaction.atomic():
        done = deliveries.exclude(status=Status.WAITING).select_for_update(of=("self",)).order_by("pk")
        ids = list(done.values_list("pk", flat=True))
        WebhookDelivery.objects.filter(pk__in=ids).update(
            status=Status.WAITING, attempts=0, next_attempt_at=Now(), response_code=None, error="", delivered_at=None
        )
        wake(ids)
    return len(ids)
