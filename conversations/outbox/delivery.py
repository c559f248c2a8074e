"""Sending what is queued: claimed in sets, one task per message, outcomes recorded in sets.

An outgoing message is *sending*, and that is committed, before a byte leaves. An unknown outcome is never repeated.
"""

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Now

from conversations import handover, webhook_events
from conversations.files import attachments
from conversations.files.attachments import Attachment
from conversations.models import WINDOW, Conversation, ConversationMessage, Status
from conversations.statuses import BEFORE_SENT
from runtime import crashpoints
from runtime.clock import from_now
from runtime.dispatching import Claimed, Shares

from . import contents
from .senders import Outbound, Policy, SendFailed, load_sender

logger = logging.getLogger(__name__)

ON_HOLD_SECONDS = 300  # how often a message behind a refused token is looked at again
OUTSIDE_WINDOW = 131047  # Meta's code for it
WINDOW_CLOSED = "The 24-hour customer service window has closed."
STUCK = "The process that sent it stopped before WhatsApp answered."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a message, and what came of it: a wamid or a failure."""

    message_id: int
    tenant_id: int
    wamid: str = ""
    failure: SendFailed | None = None


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A message that must not be sent (any more). It was not taken: `status` is what it was."""

    message_id: int
    tenant_id: int
    status: Status
    failure: SendFailed


_CLAIM = """
WITH RECURSIVE head AS (  -- each business's next message: one index probe per business
    (SELECT tenant_id, next_attempt_at FROM conversation_messages WHERE status = 'queued'
    ORDER BY tenant_id, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT following.tenant_id, following.next_attempt_at FROM head CROSS JOIN LATERAL (
        SELECT m.tenant_id, m.next_attempt_at FROM conversation_messages m
        WHERE m.status = 'queued' AND m.tenant_id > head.tenant_id
        ORDER BY m.tenant_id, m.next_attempt_at LIMIT 1) AS following
), paused AS (
    SELECT EXISTS (SELECT FROM pauses WHERE scope NOT LIKE 'model:%%'
        AND (until IS NULL OR until > statement_timestamp())) AS sending
), share AS (
    SELECT head.tenant_id, LEAST(COALESCE((%(shares)s::jsonb ->> head.tenant_id::text)::int, %(anyone_else)s),
        GREATEST(1, %(limit)s / count(*) OVER ())) AS places
    FROM head WHERE head.next_attempt_at <= statement_timestamp()
        AND COALESCE((%(shares)s::jsonb ->> head.tenant_id::text)::int, %(anyone_else)s) > 0
    ORDER BY head.next_attempt_at LIMIT %(limit)s
), due AS MATERIALIZED (
    SELECT message.*, share.places FROM share CROSS JOIN paused CROSS JOIN LATERAL (
        SELECT m.id, CASE
            WHEN m.origin = 'assistant' AND c.handled_by = 'operator' THEN 'taken over'
            WHEN m.kind <> 'template' AND (c.last_inbound_at > statement_timestamp() - %(window)s) IS NOT TRUE
                THEN 'window closed' END AS blocker
        FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id
        WHERE m.status = 'queued' AND m.tenant_id = share.tenant_id AND m.next_attempt_at <= statement_timestamp()
            AND (%(held)s::text[] IS NOT NULL OR NOT paused.sending)
            AND c.phone_number_id <> ALL (COALESCE(%(held)s::text[], '{}'))
            AND NOT EXISTS (  -- nothing of the conversation is before it
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
    c.channel, c.phone_number_id, c.external_id, c.contact_user_id
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


class _Row(NamedTuple):
    """A row of the statement, in the order of its columns; all but the first two are NULL when nothing is due."""

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


_BLOCKERS = {
    "taken over": (Status.QUEUED, SendFailed(handover.TAKEN_OVER, Policy.FAIL)),
    "window closed": (Status.QUEUED, SendFailed(WINDOW_CLOSED, Policy.FAIL, code=OUTSIDE_WINDOW)),
    "stuck": (Status.SENDING, SendFailed(STUCK, Policy.UNCERTAIN)),
}


def claim(shares: Shares) -> Claimed[Outbound | Unsendable]:
    """Make due messages *sending*, the first of each conversation only, and none of a number that is paused.

    Also finds messages that have been *sending* for too long, and queued ones that circumstances have overtaken.
    """
    found = _found(shares, None)
    if found[0].is_paused:
        held = load_sender().held_numbers()
        put_off_held(held)
        found = _found(shares, list(held))
    rows = [row for row in found if row.message_id is not None]
    taken = Counter((row.tenant_id, row.places) for row in rows if row.blocker != "stuck")
    return Claimed(
        [*_sendable([row for row in rows if row.blocker is None]), *map(_unsendable, filter(_is_blocked, rows))],
        more=any(count >= places for (_, places), count in taken.items()),
        next_in=found[0].next_in,
    )


def _found(shares: Shares, held: list[str] | None) -> list[_Row]:
    """held: the numbers that are paused; None for unknown, then nothing is claimed while any number is."""
    parameters: dict[str, str | int | float | list[str] | dt.timedelta | None] = {
        "shares": json.dumps(dict(shares.by_tenant)),
        "anyone_else": shares.anyone_else,
        "limit": shares.limit,
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
    return Unsendable(row.message_id, row.tenant_id, *_BLOCKERS[str(row.blocker)])


def _sendable(rows: Sequence[_Row]) -> list[Outbound | Unsendable]:
    files = {file.message_id: file for file in _files_of([row.message_id for row in rows if row.payload])}
    return [_outbound(row, files.get(row.message_id)) for row in rows]


def _files_of(message_ids: Sequence[int]) -> "QuerySet[Attachment] | list[Attachment]":
    return attachments.ours(message_ids) if message_ids else []


def _outbound(row: _Row, file: Attachment | None) -> Outbound | Unsendable:
    try:
        content = contents.from_json(json.loads(row.payload)) if row.payload else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        detail = f"This message was queued by another version and can't be read: {type(error).__name__}."
        return Unsendable(row.message_id, row.tenant_id, Status.SENDING, SendFailed(detail, Policy.FAIL))
    return Outbound(
        message_id=row.message_id,
        tenant_id=row.tenant_id,
        channel=row.channel,
        phone_number_id=row.phone_number_id,
        phone=None if row.external_id == row.contact_user_id else row.external_id,
        user_id=row.contact_user_id,
        text=row.text,
        reply_to=row.reply_to,
        content=content,
        attachment_id=file.pk if file and contents.upload_in(content) else None,
        media_id=file.media_id if file and contents.upload_in(content) else "",
    )


def put_off_held(held: Mapping[str, float | None]) -> int:
    """Due messages of held numbers are due again when their number may send. How many.

    Where only a person can end the pause, their conversations are flagged.
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
                handover.mark_needs_person(ids, "A reply is waiting: sending from this number is paused.")
    return moved


_SENT = """
UPDATE conversation_messages AS m SET status = 'sent', external_id = NULLIF(sent.wamid, ''),
    sent_at = statement_timestamp(), error_code = NULL, error_detail = ''
FROM jsonb_to_recordset(%s) AS sent(id bigint, wamid text)
WHERE m.id = sent.id AND m.id IN (
    SELECT id FROM conversation_messages WHERE id = ANY (%s) AND status = 'sending' FOR UPDATE SKIP LOCKED)
RETURNING m.id, EXISTS (
    SELECT FROM webhook_endpoints w
    WHERE w.tenant_id = m.tenant_id AND w.is_active AND 'reply.sent' = ANY (w.event_types)
), EXISTS (
    SELECT FROM conversation_messages later WHERE later.conversation_id = m.conversation_id AND later.id > m.id
        AND later.status = 'queued')
"""


def record(attempts: Sequence[Attempt | Unsendable]) -> list[bool | None]:
    """Write down what became of these messages; moves nothing that a status webhook moved further.

    For each: whether another message of its conversation is queued behind it; None when someone else holds its row.
    """
    with transaction.atomic():
        recorded = _record_sent([each for each in attempts if isinstance(each, Attempt) and not each.failure])
        others = {each.message_id: each for each in attempts if each.message_id not in recorded}
        for message in _with_conversations_locked(list(others)):
            _record_alone(message, others[message.pk])
            behind = ConversationMessage.objects.filter(conversation=message.conversation_id, status=Status.QUEUED)
            recorded[message.pk] = behind.exists()
        crashpoints.reach("C24")
    return [recorded.get(each.message_id) for each in attempts]


def _record_sent(attempts: Sequence[Attempt]) -> dict[int, bool]:
    """The usual outcome, at once for all that are still *sending*: whether another is behind each, by id."""
    if not attempts:
        return {}
    rows = json.dumps([{"id": each.message_id, "wamid": each.wamid} for each in attempts])
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [rows, [each.message_id for each in attempts]])
        found = cursor.fetchall()
    if listened := [pk for pk, has_subscriber, _ in found if has_subscriber]:
        webhook_events.sent(listened)
    return {pk: has_next for pk, _, has_next in found}


def _with_conversations_locked(message_ids: Sequence[int]) -> list[ConversationMessage]:
    """These messages, without those whose conversation or row someone else holds. Conversations first, as always."""
    if not message_ids:
        return []
    conversations = Conversation.objects.filter(messages__in=message_ids).order_by("pk").distinct()
    held = Conversation.objects.filter(pk__in=list(conversations.values_list("pk", flat=True))).order_by("pk")
    ids = list(held.select_for_update(skip_locked=True).values_list("pk", flat=True))
    messages = ConversationMessage.objects.filter(pk__in=message_ids, conversation__in=ids).defer("raw_json")
    return list(messages.select_for_update(skip_locked=True).order_by("pk"))


def _record_alone(message: ConversationMessage, attempt: Attempt | Unsendable) -> None:
    failure = attempt.failure
    if isinstance(attempt, Unsendable):
        if message.status == attempt.status:
            _end(message, attempt.failure)
    elif failure is None:
        _record_overtaken(message, attempt.wamid)
    elif failure.policy in (Policy.FAIL, Policy.UNCERTAIN):
        _end(message, failure)
    elif message.status == Status.SENDING:
        _put_back_or_fail(message, failure)


def _record_overtaken(message: ConversationMessage, wamid: str) -> None:
    """It was sent, but its row isn't *sending*: a status came first, or someone gave up waiting."""
    ConversationMessage.objects.filter(pk=message.pk).update(
        status=Case(When(status__in=BEFORE_SENT, then=Value(Status.SENT)), default=F("status")),
        external_id=wamid or None,
        sent_at=Now(),
        error_code=None,
        error_detail="",
    )
    webhook_events.sent([message.pk])
    handover.clear_uncertain(message.pk)


def _put_back_or_fail(message: ConversationMessage, failure: SendFailed) -> None:
    wait, counted = failure.retry_in, 0
    if failure.policy == Policy.HOLD:
        wait = ON_HOLD_SECONDS
    elif failure.policy == Policy.RETRY:
        if message.attempts >= len(failure.waits):
            _end(message, failure)
            return
        wait, counted = failure.waits[message.attempts], 1
    ConversationMessage.objects.filter(pk=message.pk).update(
        status=Status.QUEUED,
        next_attempt_at=from_now(wait),
        attempts=F("attempts") + counted,
        error_code=failure.code,
        error_detail=failure.detail,
    )
    if failure.policy == Policy.HOLD:
        handover.mark_needs_person([message.conversation_id], f"A reply is waiting: {failure.detail}")


def _end(message: ConversationMessage, failure: SendFailed) -> None:
    """Failed or uncertain. A refusal may arrive after someone gave up waiting; others may have gone out meanwhile."""
    if failure.policy == Policy.UNCERTAIN:
        if message.status == Status.SENDING:
            ConversationMessage.objects.filter(pk=message.pk).update(
                status=Status.UNCERTAIN, error_detail=failure.detail
            )
            handover.mark_needs_person([message.conversation_id], handover.UNCERTAIN)
    elif message.status in BEFORE_SENT:
        ConversationMessage.objects.filter(pk=message.pk).update(
            status=Status.FAILED, failed_at=Now(), error_code=failure.code, error_detail=failure.detail
        )
        if failure.detail != handover.TAKEN_OVER:
            handover.mark_needs_person([message.conversation_id], f"A reply was not sent: {failure.detail}")
