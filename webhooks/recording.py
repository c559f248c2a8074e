"""Recording an event, in the transaction of what happened. Where nobody listens nothing is written."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from .models import EventType, WebhookEndpoint, WebhookEvent


@dataclass(frozen=True, slots=True)
class EventDraft:
    """One event. `subject`: the id of the row it is about, where it happens to that row only once."""

    tenant_id: int | None
    type: EventType
    payload: dict[str, Any]
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
FOR KEY SHARE OF w  -- whoever deletes an endpoint waits, instead of making this transaction fail at its end
RETURNING id
"""


def record(tenant_id: int | None, type: EventType, payload: dict[str, Any], subject: int | None = None) -> int:
    """Record one event for the endpoints that want it: how many. Call it in the transaction of what happened."""
    return record_all([EventDraft(tenant_id, type, payload, subject)])


def record_all(happenings: Sequence[EventDraft]) -> int:
    """Record these: one statement, and with deliveries one more for their wake-up."""
    if not happenings:
        return 0
    rows = [{"position": position, **asdict(happening)} for position, happening in enumerate(happenings)]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [json.dumps(rows, default=str)])
        deliveries = [pk for (pk,) in cursor.fetchall()]
    wake(deliveries)
    return len(deliveries)


def wake(delivery_ids: Sequence[int], at: dt.datetime | None = None) -> None:
    """Defer the sending of these, on Django's connection: row and job live or die together.

    Always with a time: a job without one notifies the workers, and PostgreSQL lets one transaction with a
    notification commit after the other. The workers look by themselves twice a second.
    """
    jobs: list[dict[str, JSONValue]] = [{"delivery_id": pk} for pk in delivery_ids]
    if jobs:
        app.configure_task("webhooks.tasks.deliver", schedule_at=at or timezone.now()).batch_defer(*jobs)


def has_subscriber(type: EventType, tenant: str) -> Exists:
    """A condition on rows: somebody listens to such events of the tenant whose id is in that column."""
    theirs = WebhookEndpoint.objects.filter(tenant_id=OuterRef(tenant), is_active=True)
    return Exists(theirs.filter(event_types__contains=[type]))


def forget_text(message_ids: Sequence[int]) -> None:
    """The text of these messages was taken back: it is not told (again) and not kept in the log."""
    told = WebhookEvent.objects.filter(
        type__in=[EventType.MESSAGE_RECEIVED, EventType.REPLY_SENT], subject__in=message_ids
    )
    for event in told:
        event.payload["message"] = {**event.payload.get("message", {}), "text": ""}
        event.save(update_fields=["payload"])
