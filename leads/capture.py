"""Creates a lead from a customer's first message."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime import prepared
from runtime.untrusted_json import Json
from webhooks.models import EventType
from webhooks.recording import EventDraft, record_all

from .models import Lead


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """What a first message says about the customer who wrote it."""

    tenant_id: int
    conversation_id: int
    name: str
    phone: str
    first_text: str
    referral: Json | None  # the advertisement, as Meta describes it
    source: str = "whatsapp"


_INSERT = """
INSERT INTO leads AS l (tenant_id, conversation_id, name, phone, source, first_text, referral)
SELECT DISTINCT ON (conversation_id)
    tenant_id, conversation_id, name, phone, source, first_text, NULLIF(referral, 'null')
FROM jsonb_to_recordset(%(leads)s::jsonb) AS lead(position int, tenant_id bigint, conversation_id bigint, name text,
    phone text, source text, first_text text, referral jsonb)
ORDER BY conversation_id, position
ON CONFLICT (conversation_id) DO NOTHING
RETURNING id, conversation_id, tenant_id, name, phone, source, EXISTS (
    SELECT FROM webhook_endpoints w
    WHERE w.is_active AND 'lead.created' = ANY (w.event_types) AND w.tenant_id = l.tenant_id)
"""


def capture(leads: Iterable[NewLead]) -> None:
    """Create the leads that don't exist yet; existing ones stay as they are."""
    rows = [
        {"position": position, **{name: getattr(lead, name) for name in NewLead.__slots__}}
        for position, lead in enumerate(leads)
    ]
    if rows:
        created = prepared.execute(_INSERT, {"leads": json.dumps(rows)})
        record_all([_created(*row) for *row, has_subscriber in created if has_subscriber])


def forget(conversation_id: int, message_id: int, texts: Sequence[str]) -> None:
    """The customer deleted this message: a lead keeps neither a copy of it nor what the assistant noted from it."""
    lead = Lead.objects.filter(conversation_id=conversation_id).first()
    if lead is None:
        return
    noted = {name for name, source in lead.field_sources.items() if source == message_id}
    kept = {name: value for name, value in lead.fields.items() if name not in noted}
    sources = {name: source for name, source in lead.field_sources.items() if name not in noted}
    first_text = "" if lead.first_text in texts else lead.first_text
    if noted or first_text != lead.first_text:
        Lead.objects.filter(pk=lead.pk).update(first_text=first_text, fields=kept, field_sources=sources)


def _created(pk: int, conversation_id: int, tenant_id: int, name: str, phone: str, source: str) -> EventDraft:
    lead = {"id": pk, "conversation_id": conversation_id, "name": name, "phone": phone, "source": source}
    return EventDraft(tenant_id, EventType.LEAD_CREATED, {"lead": lead}, subject=pk)
