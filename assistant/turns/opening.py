"""Opening turns: unanswered messages start a turn, or extend the one that is open."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from runtime import prepared


@dataclass(frozen=True, slots=True)
class UnansweredMessage:
    """A stored message that the assistant should answer. at_once: the customer tapped a button, so nothing more will
    follow."""

    conversation_id: int
    message_id: int
    at_once: bool


_OPEN = """
INSERT INTO turns AS t (tenant_id, conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
SELECT c.tenant_id, n.conversation_id, n.first_id, n.last_id,
    statement_timestamp() + CASE WHEN n.at_once THEN interval '0' ELSE
        LEAST(COALESCE(a.quiet_seconds, %(quiet)s::float), COALESCE(a.max_wait_seconds, %(max_wait)s::float))
            * interval '1 second'
    END,
    statement_timestamp() + COALESCE(a.max_wait_seconds, %(max_wait)s::float) * interval '1 second'
FROM jsonb_to_recordset(%(bursts)s::jsonb)
    AS n(conversation_id bigint, first_id bigint, last_id bigint, at_once boolean)
JOIN conversations c ON c.id = n.conversation_id
LEFT JOIN assistants a ON a.tenant_id = c.tenant_id
ORDER BY n.conversation_id
ON CONFLICT (conversation_id) WHERE state IN ('collecting', 'generating') DO UPDATE SET
    last_message_id = GREATEST(t.last_message_id, EXCLUDED.last_message_id),
    due_at = CASE t.state WHEN 'collecting' THEN LEAST(EXCLUDED.due_at, t.latest_due_at) ELSE t.due_at END
RETURNING t.state = 'collecting' AND t.due_at <= statement_timestamp()
"""


def open_for(messages: Sequence[UnansweredMessage]) -> bool:
    """Open a turn for these messages, or extend the conversation's open one. Returns whether any is due now.

    Call it in the transaction that stores the messages, with the conversations locked. If a turn is due now, wake the
    workers after the commit: `runtime.notify`.
    """
    bursts: defaultdict[int, list[UnansweredMessage]] = defaultdict(list)
    for message in messages:
        bursts[message.conversation_id].append(message)
    if not bursts:
        return False
    rows = [
        {
            "conversation_id": conversation_id,
            "first_id": burst[0].message_id,
            "last_id": burst[-1].message_id,
            "at_once": burst[-1].at_once,
        }
        for conversation_id, burst in bursts.items()
    ]
    parameters = {
        "bursts": json.dumps(rows),
        "quiet": float(settings.TURN_QUIET_SECONDS),
        "max_wait": float(settings.TURN_MAX_WAIT_SECONDS),
    }
    return any(is_due for (is_due,) in prepared.execute(_OPEN, parameters))
