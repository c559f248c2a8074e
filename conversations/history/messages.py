"""The chat history: the three functions of the contract, and the storing of whole deliveries under them."""

import datetime as dt
import json
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models.expressions import DatabaseDefault

from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant

from .contacts import Contact, locate


def get_or_create_conversation(tenant_id: int | None, phone_number_id: str, wa_from: str) -> Conversation:
    """The one conversation of this number with this contact (phone number or BSUID). Safe under concurrency.

    tenant_id: None stands for the single business. Raises Conversation.DoesNotExist when the conversation belongs to
    another tenant.
    """
    if tenant_id is None:
        tenant_id = Tenant.objects.single().pk
    contact = Contact(tenant_id=tenant_id, phone_number_id=phone_number_id, phone=wa_from, user_id=None)
    with transaction.atomic():
        found = locate([contact])
        if contact not in found:
            raise Conversation.DoesNotExist(f"{wa_from} at {phone_number_id} is another tenant's contact")
        return Conversation.objects.get(pk=found[contact].id)


# First the conversation's row: its lock puts the messages of one conversation in one order.
_ADD = """
WITH held AS (
    UPDATE conversations SET last_message_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id = %s
    RETURNING id
)
INSERT INTO conversation_messages ({columns}) SELECT {values} FROM (SELECT count(*) FROM held) AS first RETURNING *
"""


def add_conversation_message(conversation_id: int, role: str, text: str, **columns: Any) -> ConversationMessage:
    """Store one message. `columns` are further columns of the row. The conversation's `last_message_at` moves.

    One statement. Raises IntegrityError when there is no such conversation, or when it already has a message of that
    `external_id`.
    """
    origins = {"user": "customer", "assistant": "assistant", "system": "system"}
    columns.setdefault("origin", origins.get(role, ""))
    new = ConversationMessage(conversation_id=conversation_id, role=role, text=text, **columns)
    given = {
        str(field.column): field.get_db_prep_save(value, connection)
        for field in ConversationMessage._meta.concrete_fields
        if not field.primary_key and not isinstance(value := getattr(new, field.attname), DatabaseDefault)
    }
    statement = _ADD.format(columns=", ".join(given), values=", ".join(["%s"] * len(given)))
    return ConversationMessage.objects.raw(statement, [conversation_id, *given.values()])[0]


def get_last_messages(conversation_id: int, limit: int = 20) -> list[ConversationMessage]:
    """The last `limit` messages, oldest first, ordered by (created_at, id): one index scan at any length.

    What Meta sent (`raw_json`) is many times as long as the text; it is loaded when it is asked for.
    """
    newest_first = ConversationMessage.objects.filter(conversation_id=conversation_id).order_by("-created_at", "-id")
    return list(newest_first.defer("raw_json")[:limit])[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message from outside, ready to be stored in its (located and locked) conversation."""

    conversation_id: int
    role: str
    origin: str
    text: str
    raw_json: dict[str, Any] | None
    external_id: str | None
    kind: str
    sent_at: dt.datetime | None
    reply_to: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that is stored now. `corrected`: its edit or revoke came before it and is to be applied."""

    id: int
    corrected: bool


_INSERT = """
INSERT INTO conversation_messages
    (conversation_id, role, origin, text, raw_json, external_id, kind, sent_at, reply_to)
SELECT conversation_id, role, origin, text, NULLIF(raw_json, 'null'), external_id, kind, sent_at, reply_to
FROM jsonb_to_recordset(%s) AS m(
    position int, conversation_id bigint, role text, origin text, text text, raw_json jsonb, external_id text,
    kind text, sent_at timestamptz, reply_to text)
ORDER BY position
ON CONFLICT (conversation_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING id, conversation_id, external_id, EXISTS (
    SELECT FROM conversation_messages e WHERE e.conversation_id = conversation_messages.conversation_id
        AND e.reply_to = conversation_messages.external_id AND e.kind IN ('edit', 'revoke'))
"""


def store_arrivals(arrivals: Sequence[Arrival]) -> list[Kept | None]:
    """Store these messages in one statement: the row of each in the order given, None for what was there already."""
    if not arrivals:
        return []
    # Not `asdict`, which copies the raw pieces: a third of the time that 3 MB take.
    rows = [
        {"position": position, **{name: getattr(arrival, name) for name in Arrival.__slots__}}
        for position, arrival in enumerate(arrivals)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [json.dumps(rows, default=str)])
        stored: defaultdict[tuple[int, str | None], deque[Kept]] = defaultdict(deque)
        for pk, conversation_id, external_id, corrected in cursor.fetchall():
            stored[conversation_id, external_id].append(Kept(pk, corrected))
    # Without a wamid every one was stored, in this order; with one only the first of its kind.
    waiting = (stored[arrival.conversation_id, arrival.external_id] for arrival in arrivals)
    return [rows.popleft() if rows else None for rows in waiting]
