"""The chat history: the contract's three functions, and the two INSERTs for messages.

`store` inserts messages from the channel, `insert_messages` our own.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from django.db import IntegrityError, transaction

from conversations.models import ClockTimestamp, Conversation, ConversationMessage
from runtime import prepared
from runtime.untrusted_json import Json
from tenants.models import Tenant

from .contacts import Contact, ConversationRef, save


def get_or_create_conversation(tenant_id: int | None, phone_number_id: str, wa_from: str) -> Conversation:
    """The one conversation of this number with this contact (phone number or BSUID). Safe under concurrency.

    tenant_id: None stands for the single business. Raises Conversation.DoesNotExist if the conversation belongs to
    another tenant.
    """
    if tenant_id is None:
        tenant_id = Tenant.objects.single().pk
    contact = Contact(tenant_id=tenant_id, phone_number_id=phone_number_id, phone=wa_from, user_id=None)
    with transaction.atomic():
        saved = save([contact], {})
        if contact not in saved:
            raise Conversation.DoesNotExist(f"{wa_from} at {phone_number_id} belongs to another tenant")
        return Conversation.objects.get(pk=saved[contact].id)


def add_conversation_message(conversation_id: int, role: str, text: str, **columns: object) -> ConversationMessage:
    """Store one message. `columns`: further columns of the row. Updates the conversation's `last_message_at`.

    Raises IntegrityError if there is no such conversation, or if it already has a message with that `external_id`.
    """
    origins = {"user": "customer", "assistant": "assistant", "system": "system"}
    columns.setdefault("origin", origins.get(role, ""))
    message = ConversationMessage(conversation_id=conversation_id, role=role, text=text, **columns)
    with transaction.atomic():
        # Its row lock puts the messages of one conversation in one order.
        conversation = Conversation.objects.filter(pk=conversation_id)
        if not conversation.update(last_message_at=ClockTimestamp(), updated_at=ClockTimestamp()):
            raise IntegrityError(f"Conversation {conversation_id} doesn't exist.")
        return insert_messages([message])[0]


def insert_messages(messages: Sequence[ConversationMessage]) -> list[ConversationMessage]:
    """Insert messages of ours, in this order. Call it in a transaction that has locked their conversations."""
    return ConversationMessage.objects.bulk_create(messages)


_MESSAGES = """
SELECT m.id, m.conversation_id, m.tenant_id, m.role, m.text, m.created_at, m.external_id, m.kind, m.origin, m.sent_at,
    m.reply_to, m.revoked_at, m.status, m.refused, m.raw_json -> 'referral' AS raw_referral
FROM {rows}
"""
_LAST = _MESSAGES.format(
    rows="conversation_messages m WHERE m.conversation_id = %s ORDER BY m.created_at DESC, m.id DESC LIMIT %s"
)


def get_last_messages(conversation_id: int, limit: int = 20) -> list[ConversationMessage]:
    """The last `limit` messages, oldest first, ordered by (created_at, id): one index scan at any length.

    Fields that the history doesn't need, such as the long `raw_json`, are loaded when they're asked for.
    """
    return list(ConversationMessage.objects.raw(_LAST, [conversation_id, limit]))[::-1]


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a conversation is wanted: the last `number` messages, and all from the ID `first_id` on.

    The window stays where it last began, at the ID `begins_id`, until it has grown by more than `growth` messages. So
    the beginning of the prompt stays the same for many replies, and a cache can reuse it.
    """

    conversation_id: int
    number: int
    growth: int
    begins_id: int | None
    first_id: int


# A window begins at the earliest of: the first message of the burst, the last but `number`, and the last beginning
# while there are at most `number` + `growth` messages from there. No window has more than 1,000 rows.
_WINDOWS = _MESSAGES.format(
    rows="""
jsonb_to_recordset(%(windows)s)
    AS wanted(conversation_id bigint, number int, growth int, begins_id bigint, first_id bigint)
CROSS JOIN LATERAL (
    SELECT max(created_at) FILTER (WHERE place = wanted.number) AS least,
        max(created_at) FILTER (WHERE place = wanted.number + wanted.growth + 1) AS most
    FROM (
        SELECT created_at, row_number() OVER (ORDER BY created_at DESC, id DESC) AS place FROM (
            SELECT created_at, id, kind, text, refused FROM conversation_messages
            WHERE conversation_id = wanted.conversation_id ORDER BY created_at DESC, id DESC LIMIT 1000) AS latest
        WHERE kind <> ALL (%(uncounted)s) AND text <> '' AND refused = ''
        ORDER BY created_at DESC, id DESC LIMIT wanted.number + wanted.growth + 1) AS counted
) AS reaches
CROSS JOIN LATERAL (
    SELECT * FROM conversation_messages WHERE conversation_id = wanted.conversation_id AND created_at >= LEAST(
        (SELECT created_at FROM conversation_messages WHERE id = wanted.first_id),
        (SELECT created_at FROM conversation_messages WHERE id = wanted.begins_id
            AND conversation_id = wanted.conversation_id AND (reaches.most IS NULL OR created_at > reaches.most)),
        COALESCE(reaches.least, '-infinity'))
    ORDER BY created_at DESC, id DESC LIMIT 1000
) AS m
ORDER BY m.conversation_id, m.created_at, m.id
"""
)


def windows_of(windows: Iterable[Window], uncounted: Iterable[str]) -> dict[int, list[ConversationMessage]]:
    """These parts of conversations in one statement, by conversation ID, ordered like `get_last_messages`.

    uncounted: kinds that don't count towards a window's number. Neither do messages without a text, such as deleted
    ones, and those that the model isn't shown.
    """
    found: defaultdict[int, list[ConversationMessage]] = defaultdict(list)
    if wanted := [asdict(window) for window in windows]:
        parameters = {"windows": json.dumps(wanted), "uncounted": list(uncounted)}
        for message in ConversationMessage.objects.raw(_WINDOWS, parameters):
            found[message.conversation_id].append(message)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """One message from the channel, ready to be stored."""

    conversation: ConversationRef
    role: str
    origin: str
    text: str
    raw_json: Json
    external_id: str | None
    kind: str
    sent_at: dt.datetime
    reply_to: str
    signed_by: Sequence[int] | None  # see `ConversationMessage.signed_by`


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that is stored now and wasn't before."""

    id: int
    message: NewMessage
    corrected_by: frozenset[str]  # edit, revoke: corrections that came before it


_INSERT = """
INSERT INTO conversation_messages AS m
    (conversation_id, role, origin, text, raw_json, external_id, kind, sent_at, reply_to, signed_by)
SELECT conversation_id, role, origin, text, raw_json, external_id, kind, sent_at, reply_to, signed_by
FROM jsonb_to_recordset(%(messages)s::jsonb) AS n(
    position int, conversation_id bigint, role text, origin text, text text, raw_json jsonb, external_id text,
    kind text, sent_at timestamptz, reply_to text, signed_by bigint[])
ORDER BY position
ON CONFLICT (conversation_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING id, conversation_id, external_id, ARRAY(
    SELECT c.kind::text FROM conversation_messages c WHERE c.conversation_id = m.conversation_id
        AND c.reply_to = m.external_id AND c.kind IN ('edit', 'revoke') AND c.role = m.role)
"""
_COLUMNS = ("role", "origin", "text", "raw_json", "external_id", "kind", "reply_to", "signed_by")


def store(messages: Sequence[NewMessage]) -> list[StoredMessage | None]:
    """Store these messages in one statement. None stands for a message that was there before.

    The conversations are locked by the transaction that calls this.
    """
    if not messages:
        return []
    # Duplicates are dropped here: then each wamid, and each message without one, is one row at most.
    seen: dict[tuple[int, str | int], int] = {}
    for position, message in enumerate(messages):
        seen.setdefault((message.conversation.id, message.external_id or position), position)
    rows = [
        {
            "position": position,
            "conversation_id": messages[position].conversation.id,
            "sent_at": messages[position].sent_at.isoformat(),
            # Not `asdict`, which copies the raw items: a third of the time that 3 MB take.
            **{name: getattr(messages[position], name) for name in _COLUMNS},
        }
        for position in seen.values()
    ]
    stored: list[StoredMessage | None] = [None] * len(messages)
    nameless = iter([row["position"] for row in rows if row["external_id"] is None])
    for pk, conversation_id, external_id, kinds in prepared.execute(_INSERT, {"messages": json.dumps(rows)}):
        # Messages without a wamid are always stored, in this order.
        position = seen[conversation_id, external_id] if external_id is not None else next(nameless)
        stored[position] = StoredMessage(pk, messages[position], frozenset(kinds))
    return stored
