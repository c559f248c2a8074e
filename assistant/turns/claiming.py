"""Taking a due turn, and what is to be known of it: one statement.

It is SQL since the compare-and-set and the reading are one wait for the database, and since Django would take longer to
write this statement than PostgreSQL to run it. `tests/test_taking.py` holds its conditions against `waiting`.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

from assistant.models import Assistant
from conversations.files.attachments import OPEN
from conversations.models import Conversation
from tenants.models import Tenant

from . import attachment_wait

_TAKE = """
WITH taken AS (
    UPDATE turns AS t SET state = 'generating', generation = t.generation + 1,
        lease_until = statement_timestamp() + %(lease)s * interval '1 second'
    WHERE t.id = %(turn)s AND t.state = 'collecting' AND t.due_at <= statement_timestamp()
        AND NOT EXISTS (  -- a file of its messages that is still worth waiting for
            SELECT FROM attachments f JOIN conversation_messages m ON m.id = f.message_id
            WHERE f.state = ANY (%(open)s) AND f.kind = ANY (%(kinds)s)
                AND f.created_at > statement_timestamp() - %(patience)s * interval '1 second'
                AND m.id BETWEEN t.first_message_id AND t.last_message_id AND m.conversation_id = t.conversation_id)
    RETURNING t.id, t.generation, t.first_message_id, t.conversation_id
)
SELECT a.*, taken.id AS turn_id, taken.generation, taken.first_message_id, c.id AS conversation_id,
    c.tenant_id AS conversation_tenant_id, tenant.is_active AS tenant_is_active, c.phone_number_id, c.handled_by,
    c.is_active, c.last_inbound_at
FROM taken JOIN conversations c ON c.id = taken.conversation_id
LEFT JOIN tenants tenant ON tenant.id = c.tenant_id
LEFT JOIN assistants a ON a.tenant_id = c.tenant_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A turn that is ours now. `conversation`: what `why_silent` asks of it, and no more."""

    turn_id: int
    generation: int
    first_message_id: int
    conversation: Conversation
    assistant: Assistant


def take(turn_id: int) -> Taken | None:
    """*collecting* to *generating*, with a lease; None when it is not due, or waits for a file, or is no more."""
    parameters = {
        "turn": turn_id,
        "lease": float(settings.TURN_LEASE_SECONDS),
        "open": list(OPEN),
        "kinds": list(attachment_wait.KINDS),
        "patience": float(settings.ATTACHMENT_WAIT_SECONDS),
    }
    found = list(Assistant.objects.raw(_TAKE, parameters))
    return _taken(found[0]) if found else None


def _taken(row: Assistant) -> Taken:
    known = row.__dict__
    tenant_id = known["conversation_tenant_id"]
    tenant = Tenant(pk=tenant_id, is_active=known["tenant_is_active"]) if tenant_id is not None else None
    last_inbound_at: dt.datetime | None = known["last_inbound_at"]
    conversation = Conversation(
        pk=known["conversation_id"],
        tenant=tenant,
        phone_number_id=known["phone_number_id"],
        handled_by=known["handled_by"],
        is_active=known["is_active"],
        last_inbound_at=last_inbound_at,
    )
    assistant = row if row.pk is not None else Assistant()
    if tenant is not None:
        assistant.tenant = tenant
    return Taken(known["turn_id"], known["generation"], known["first_message_id"], conversation, assistant)
