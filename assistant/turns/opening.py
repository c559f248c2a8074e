"""Opening turns: unanswered messages start a turn, or extend the one that is open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from django.conf import settings

from assistant import restores
from conversations import handover
from conversations.models import ConversationMessage
from runtime import prepared


@dataclass(frozen=True, slots=True)
class UnansweredMessage:
    """A stored message that the assistant should answer. at_once: the customer tapped a button, so nothing more will
    follow."""

    conversation_id: int
    message_id: int
    at_once: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """The open turn of each conversation, and whether any is due now."""

    turns: Mapping[int, int] = field(default_factory=dict)
    is_due: bool = False


_OPEN = """
WITH message AS (
    SELECT n.*, EXISTS (
        SELECT FROM restores r JOIN conversation_messages m ON m.id = n.message_id
        WHERE m.sent_at <= r.answered_until) AS is_held
    FROM jsonb_to_recordset(%(messages)s::jsonb)
        AS n(position int, conversation_id bigint, message_id bigint, at_once boolean)
), burst AS (
    SELECT conversation_id, min(message_id) AS first_id, max(message_id) AS last_id,
        (array_agg(at_once ORDER BY position DESC))[1] AS at_once
    FROM message WHERE NOT is_held GROUP BY conversation_id
), opened AS (
    INSERT INTO turns AS t (tenant_id, conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
    SELECT c.tenant_id, n.conversation_id, n.first_id, n.last_id,
        statement_timestamp() + CASE WHEN n.at_once THEN interval '0' ELSE
            LEAST(COALESCE(a.quiet_seconds, %(quiet)s::float), COALESCE(a.max_wait_seconds, %(max_wait)s::float))
                * interval '1 second'
        END,
        statement_timestamp() + COALESCE(a.max_wait_seconds, %(max_wait)s::float) * interval '1 second'
    FROM burst n
    JOIN conversations c ON c.id = n.conversation_id
    LEFT JOIN assistants a ON a.tenant_id = c.tenant_id
    ORDER BY n.conversation_id
    ON CONFLICT (conversation_id) WHERE state IN ('collecting', 'generating') DO UPDATE SET
        last_message_id = GREATEST(t.last_message_id, EXCLUDED.last_message_id),
        due_at = CASE t.state WHEN 'collecting' THEN LEAST(EXCLUDED.due_at, t.latest_due_at) ELSE t.due_at END
    RETURNING id, conversation_id, state = 'collecting' AND due_at <= statement_timestamp() AS is_due
)
SELECT conversation_id, id, is_due, NULL::bigint FROM opened
UNION ALL SELECT conversation_id, NULL, false, message_id FROM message WHERE is_held
"""


def open_for(messages: Sequence[UnansweredMessage]) -> Opened:
    """Open a turn for these messages, or extend the conversation's open one.

    What may have been answered before the database was restored isn't answered again; its conversation is flagged.
    Call it in the transaction that stores the messages, with the conversations locked. If a turn is due now, wake the
    workers after the commit: `runtime.notify`.
    """
    if not messages:
        return Opened()
    parameters = {
        "messages": json.dumps([{"position": n, **asdict(message)} for n, message in enumerate(messages)]),
        "quiet": float(settings.TURN_QUIET_SECONDS),
        "max_wait": float(settings.TURN_MAX_WAIT_SECONDS),
    }
    found = prepared.execute(_OPEN, parameters)
    if held := {message_id: conversation_id for conversation_id, _, _, message_id in found if message_id}:
        ConversationMessage.objects.filter(pk__in=held).update(refused=restores.HELD)
        handover.mark_needs_person(sorted(set(held.values())), restores.FLAG)
    turns = {conversation_id: turn_id for conversation_id, turn_id, *_ in found if turn_id}
    return Opened(turns, any(is_due for _, _, is_due, _ in found))
