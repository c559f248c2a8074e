"""A lead is born with the customer's first message."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection

from webhooks.models import EventType
from webhooks.recording import EventDraft, record_all


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """What a first message tells of the person who wrote it."""

    tenant_id: int | None
    conversation_id: int
    name: str
    phone: str
    first_text: str
    referral: dict[str, Any] | None  # the advertisement, as Meta tells it
    source: str = "whatsapp"


_INSERT = """
INSERT INTO leads AS l (tenant_id, conversation_id, name, phone, source, first_text, referral)
SELECT DISTINCT ON (conversation_id)
    tenant_id, conversation_id, name, phone, source, first_text, NULLIF(referral, 'null')
FROM jsonb_to_recordset(%s) AS lead(position int, tenant_id bigint, conversation_id bigint, name text, phone text,
    source text, first_text text, referral jsonb)
ORDER BY conversation_id, position
ON CONFLICT (conversation_id) DO NOTHING
RETURNING id, conversation_id, tenant_id, name, phone, source, EXISTS (
    SELECT FROM webhook_endpoints w WHERE w.is_active AND 'lead.created' = ANY (w.event_types) AND (
        w.tenant_id = l.tenant_id))
"""


def capture(leads: Iterable[NewLead]) -> None:
    """Create the leads that do not exist yet; those that do stay as they are."""
    rows = [{"position": position, **asdict(lead)} for position, lead in enumerate(leads)]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [json.dumps(rows)])
            record_all([_created(*row) for *row, is_listened_to in cursor.fetchall() if is_listened_to])


def _created(pk: int, conversation_id: int, tenant_id: int | None, name: str, phone: str, source: str) -> EventDraft:
    lead = {"id": pk, "conversation_id": conversation_id, "name": name, "phone": phone, "source": source}
    return EventDraft(tenant_id, EventType.LEAD_CREATED, {"lead": lead}, subject=pk)
