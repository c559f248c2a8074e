"""Record events in the transaction of what happened. Without a subscriber, nothing is written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from runtime.backlog import Backlog

from .models import EventType, WebhookDelivery, WebhookEndpoint, WebhookEvent

LEASE_SECONDS = 60  # beyond WEBHOOK_SECONDS: how long a claim holds

BACKLOG = Backlog(
    task="webhooks.tasks.deliver",
    table="webhook_deliveries",
    waiting="status = 'waiting'",
    group="endpoint_id",
    fence="attempts",
    lease=lambda: settings.WEBHOOK_SECONDS + LEASE_SECONDS,
    at_once=8,
)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """One event. `subject`: the ID of the row it's about, if it happens to that row only once."""

    tenant_id: int | None
    type: EventType
    payload: Mapping[str, object]
    subject: int | None = None


_RECORD = """
WITH happening AS (
    SELECT * FROM jsonb_to_recordset(%s) AS h(position int, tenant_id bigint, type text, payload jsonb, subject bigint)
), recorded AS (
    INSERT INTO webhook_events (tenant_id, type, payload, subject)
    SELECT h.tenant_id, h.type, h.payload, h.subject FROM happening h
    WHERE EXISTS (SELECT FROM webhook_endpoints w WHERE w.is_active AND h.type = ANY (w.event_types)
        AND w.tenant_id = h.tenant_id)
    ORDER BY h.position
    ON CONFLICT (type, subject) WHERE subject IS NOT NULL DO NOTHING
    RETURNING id, tenant_id, type
)
INSERT INTO webhook_deliveries (event_id, endpoint_id)
SELECT r.id, w.id FROM recorded r
JOIN webhook_endpoints w ON w.is_active AND r.type = ANY (w.event_types)
    AND w.tenant_id = r.tenant_id
FOR KEY SHARE OF w  -- a concurrent deletion of the endpoint waits, instead of failing this transaction at its end
"""


def record_all(happenings: Sequence[EventDraft]) -> int:
    """Record events in one statement, plus one for the jobs if there are deliveries. Returns the number of
    deliveries."""
    if not happenings:
        return 0
    rows = [{"position": position, **asdict(happening)} for position, happening in enumerate(happenings)]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [json.dumps(rows, default=str)])
        deliveries: int = cursor.rowcount
    BACKLOG.wake(deliveries)
    return deliveries


def record_test(endpoint: WebhookEndpoint) -> None:
    """Record a test event for this endpoint alone, whatever it subscribes to."""
    with transaction.atomic():
        payload = {"text": "This is a test event from Parley."}
        event = WebhookEvent.objects.create(tenant_id=endpoint.tenant_id, type=EventType.TEST, payload=payload)
        WebhookDelivery.objects.create(event=event, endpoint=endpoint)
        BACKLOG.wake(1)


def has_subscriber(type: EventType, tenant: str) -> Exists:
    """A condition on rows: the tenant in this column has a subscriber to such events."""
    theirs = WebhookEndpoint.objects.filter(tenant_id=OuterRef(tenant), is_active=True)
    return Exists(theirs.filter(event_types__contains=[type]))


def forget_text(message_ids: Sequence[int], nothing: Mapping[str, object]) -> None:
    """Blank what deleted messages said in the log, so that it isn't sent (again). nothing: the values to use."""
    told = WebhookEvent.objects.filter(
        type__in=[EventType.MESSAGE_RECEIVED, EventType.REPLY_SENT], subject__in=message_ids
    )
    for event in told:
        event.payload["message"] = {**event.payload.get("message", {}), **nothing}
        event.save(update_fields=["payload"])
