"""Claiming queued messages: *sending* is committed before a byte leaves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from conversations import handover
from conversations.files import attachments
from conversations.files.attachments import Attachment
from conversations.models import WINDOW, Conversation, ConversationMessage, Status
from runtime.clock import from_now
from runtime.dispatching import SHARE, Claimed, Shares, has_full_share

from . import contents
from .senders import Outbound, Policy, SendFailed, load_sender

ON_HOLD_SECONDS = 300  # how often a message held back by a refused token is checked again
OUTSIDE_WINDOW = 131047  # Meta's code for it
WINDOW_CLOSED = "The 24-hour customer service window has closed."
STUCK = "The process that sent it stopped before WhatsApp answered."


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A message that must no longer be sent. It wasn't claimed, so its `status` is unchanged."""

    message_id: int
    tenant_id: int
    status: Status
    failure: SendFailed
    conversation_id: int = 0


_TAKE = """, paused AS (
    SELECT EXISTS (SELECT FROM pauses WHERE scope NOT LIKE 'model:%%'
        AND (until IS NULL OR until > statement_timestamp())) AS sending
), due AS MATERIALIZED (
    SELECT message.*, share.places FROM share CROSS JOIN paused CROSS JOIN LATERAL (
        SELECT m.id, CASE
            WHEN m.origin = 'assistant' AND c.handled_by = 'operator' THEN 'taken over'
            WHEN m.kind <> 'template' AND (c.last_inbound_at > statement_timestamp() - %(window)s) IS NOT TRUE
                THEN 'window closed' END AS blocker
        FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id
        JOIN tenants t ON t.id = m.tenant_id AND t.is_active  -- else it's suspended, and its messages wait
        WHERE m.status = 'queued' AND m.tenant_id = share.tenant_id AND m.next_attempt_at <= statement_timestamp()
            AND (%(held)s::text[] IS NOT NULL OR NOT paused.sending)
            AND c.phone_number_id <> ALL (COALESCE(%(held)s::text[], '{}'))
            AND NOT EXISTS (  -- no earlier message of the conversation is unsent
                SELECT FROM conversation_messages earlier WHERE earlier.conversation_id = m.conversation_id
                    AND earlier.id < m.id AND earlier.status IN ('queued', 'sending'))
        ORDER BY m.next_attempt_at, m.id LIMIT share.places FOR UPDATE OF m SKIP LOCKED) AS message
), taken AS (
    UPDATE conversation_messages AS m SET status = 'sending', sending_at = statement_timestamp()
    FROM due WHERE m.id = due.id AND due.blocker IS NULL
    RETURNING m.id
), stuck AS (
    SELECT id FROM conversation_messages WHERE status = 'sending'
        AND sending_at < statement_timestamp() - %(sending_seconds)s * interval '1 second'
    ORDER BY sending_at LIMIT %(limit)s
)
SELECT look.next_in, paused.sending, found.blocker, found.places, m.id, m.tenant_id, m.text, m.reply_to, m.payload,
    c.channel, c.phone_number_id, c.external_id, c.contact_user_id, c.id
FROM (
    SELECT EXTRACT(EPOCH FROM min(later.next_attempt_at) - statement_timestamp())::float AS next_in
    FROM head CROSS JOIN LATERAL (
        SELECT m.next_attempt_at FROM conversation_messages m WHERE m.status = 'queued'
            AND m.tenant_id = head.tenant_id AND m.next_attempt_at > statement_timestamp()
        ORDER BY m.next_attempt_at LIMIT 1) AS later
) AS look CROSS JOIN paused
LEFT JOIN (
    SELECT id, blocker, places FROM due WHERE blocker IS NOT NULL OR id IN (SELECT id FROM taken)
    UNION ALL SELECT id, 'stuck', 0 FROM stuck
) AS found ON true
LEFT JOIN conversation_messages m ON m.id = found.id
LEFT JOIN conversations c ON c.id = m.conversation_id
"""
_CLAIM = SHARE.format(table="conversation_messages", waiting="status = 'queued'", due_at="next_attempt_at") + _TAKE


class _Row(NamedTuple):
    """A row of the result, in column order. All but the first two columns are NULL if nothing is due."""

    next_in: float | None
    is_paused: bool  # sending is paused for at least one number
    blocker: str | None
    places: int
    message_id: int
    tenant_id: int
    text: str
    reply_to: str
    payload: str | None  # JSON
    channel: str
    phone_number_id: str
    external_id: str
    contact_user_id: str | None
    conversation_id: int


_BLOCKERS = {
    "taken over": (Status.QUEUED, SendFailed(handover.TAKEN_OVER, Policy.FAIL)),
    "window closed": (Status.QUEUED, SendFailed(WINDOW_CLOSED, Policy.FAIL, code=OUTSIDE_WINDOW)),
    "stuck": (Status.SENDING, SendFailed(STUCK, Policy.UNCERTAIN)),
}


def claim(shares: Shares) -> Claimed[Outbound | Unsendable]:
    """Mark due messages as *sending*: only the first of each conversation, and none for paused numbers.

    Also finds messages that have been *sending* for too long, and queued ones that circumstances have overtaken.
    """
    found = _found(shares, None)
    if found[0].is_paused:
        held = load_sender().held_numbers()
        put_off_held(held)
        found = _found(shares, list(held))
    rows = [row for row in found if row.message_id is not None]
    return Claimed(
        [*_sendable([row for row in rows if row.blocker is None]), *map(_unsendable, filter(_is_blocked, rows))],
        more=has_full_share((row.tenant_id, row.places) for row in rows if row.blocker != "stuck"),
        next_in=found[0].next_in,
    )


def _found(shares: Shares, held: list[str] | None) -> list[_Row]:
    """held: the numbers that are paused; None for unknown, then nothing is claimed while any number is."""
    parameters: dict[str, Any] = {
        **shares.parameters(),
        "held": held,
        "window": WINDOW,
        "sending_seconds": float(settings.SENDING_SECONDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [_Row(*columns) for columns in cursor.fetchall()]


def _is_blocked(row: _Row) -> bool:
    return row.blocker is not None


def _unsendable(row: _Row) -> Unsendable:
    return Unsendable(row.message_id, row.tenant_id, *_BLOCKERS[str(row.blocker)], row.conversation_id)


def _sendable(rows: Sequence[_Row]) -> list[Outbound | Unsendable]:
    with_files = [row.message_id for row in rows if row.payload]
    files = {file.message_id: file for file in attachments.ours(with_files)} if with_files else {}
    return [_outbound(row, files.get(row.message_id)) for row in rows]


def _outbound(row: _Row, file: Attachment | None) -> Outbound | Unsendable:
    try:
        content = contents.from_json(json.loads(row.payload)) if row.payload else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        detail = f"This message was queued by another version and can't be read: {type(error).__name__}."
        return Unsendable(
            row.message_id, row.tenant_id, Status.SENDING, SendFailed(detail, Policy.FAIL), row.conversation_id
        )
    return Outbound(
        message_id=row.message_id,
        tenant_id=row.tenant_id,
        channel=row.channel,
        phone_number_id=row.phone_number_id,
        phone=None if row.external_id == row.contact_user_id else row.external_id,
        user_id=row.contact_user_id,
        text=row.text,
        conversation_id=row.conversation_id,
        reply_to=row.reply_to,
        content=content,
        attachment_id=file.pk if file and contents.upload_in(content) else None,
        media_id=file.media_id if file and contents.upload_in(content) else "",
    )


def put_off_held(held: Mapping[str, float | None]) -> int:
    """Postpone the due messages of paused numbers until their number may send again. Returns their number. If someone
    has to end the pause, their conversations are flagged.
    """
    moved = 0
    for phone_number_id, seconds in held.items():
        with transaction.atomic():
            due = ConversationMessage.objects.filter(
                status=Status.QUEUED, next_attempt_at__lte=Now(), conversation__phone_number_id=phone_number_id
            )
            conversations = Conversation.objects.filter(pk__in=due.values("conversation_id")[:1000]).order_by("pk")
            ids = list(conversations.select_for_update(skip_locked=True).values_list("pk", flat=True))
            moved += ConversationMessage.objects.filter(
                conversation__in=ids, status=Status.QUEUED, next_attempt_at__lte=Now()
            ).update(next_attempt_at=from_now(ON_HOLD_SECONDS if seconds is None else seconds))
            if ids and seconds is None:
                handover.mark_needs_person(ids, f"{handover.WAITING}sending from this number is paused.", kind=None)
    return moved
