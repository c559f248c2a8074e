"""What closing turns writes: each statement once for all turns."""

import datetime as dt
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from django.db import connection

from assistant.models import Turn
from conversations import handover
from conversations.choices import HandoverReason
from conversations.history.messages import insert_messages
from conversations.models import Attachment, ClockTimestamp, Conversation, ConversationMessage
from knowledge.unanswered import UnansweredQuestion
from leads import noting
from leads.noting import Note
from notifications.choices import Kind
from runtime import crashpoints

from . import opening
from .opening import UnansweredMessage


@dataclass(slots=True)
class Batch:
    """What a transaction will write."""

    now: dt.datetime  # by the database's clock, which decides what is due
    replies: list[tuple[Turn, list[ConversationMessage]]] = field(default_factory=list)
    ended: list[Turn] = field(default_factory=list)
    tokens: Counter[int] = field(default_factory=Counter)
    told: set[int] = field(default_factory=set)  # the conversations that are `in_outage`
    flags: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    handovers: list[tuple[int, HandoverReason, str]] = field(default_factory=list)  # conversation, reason, summary
    notes: list[Note] = field(default_factory=list)
    unanswered: list[UnansweredMessage] = field(default_factory=list)
    unknown: list[UnansweredQuestion] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    refused_images: dict[int, str] = field(default_factory=dict)


_UPDATE = """
WITH used AS (
    INSERT INTO daily_usage AS u (tenant_id, day, tokens)
    SELECT key::bigint, (statement_timestamp() AT TIME ZONE 'UTC')::date, value::bigint
    FROM jsonb_each_text(%(tokens)s) ORDER BY 1
    ON CONFLICT (tenant_id, day) DO UPDATE SET tokens = u.tokens + EXCLUDED.tokens
)
UPDATE turns AS t SET state = n.state, due_at = n.due_at, lease_until = NULL, superseded = n.superseded,
    seen_messages = n.seen_messages, model = n.model, instructions_hash = n.instructions_hash, seconds = n.seconds,
    prompt_tokens = n.prompt_tokens, cached_tokens = n.cached_tokens, completion_tokens = n.completion_tokens,
    usage_estimated = n.usage_estimated, cost = n.cost, outcome = n.outcome, error = n.error,
    first_reply_id = n.first_reply_id, last_reply_id = n.last_reply_id, last_message_id = n.last_message_id,
    waits_for = n.waits_for, warning = n.warning, prompt = n.prompt, sources = n.sources,
    finished_at = CASE WHEN n.state <> 'collecting' THEN statement_timestamp() END
FROM jsonb_populate_recordset(NULL::turns, %(turns)s) AS n WHERE t.id = n.id
"""
_WRITTEN = (
    *("id", "state", "due_at", "superseded", "seen_messages", "model", "instructions_hash", "seconds"),
    *("prompt_tokens", "cached_tokens", "completion_tokens", "usage_estimated", "cost", "outcome", "error"),
    *("first_reply_id", "last_reply_id", "last_message_id", "waits_for", "warning", "prompt", "sources"),
)


def write(batch: Batch) -> None:
    """Run each statement once for all turns."""
    if batch.replies:
        # The conversation's lock keeps the order of its messages the order of their ids.
        Conversation.objects.filter(pk__in=[turn.conversation_id for turn, _ in batch.replies]).update(
            last_message_at=ClockTimestamp(), updated_at=ClockTimestamp()
        )
        insert_messages([message for _, messages in batch.replies for message in messages])
    for turn, messages in batch.replies:
        # A reopened turn has had the fallback text.
        turn.first_reply_id = turn.first_reply_id or messages[0].pk
        turn.last_reply_id = messages[-1].pk
    if batch.ended or batch.tokens:
        rows = [{name: getattr(turn, name) for name in _WRITTEN} for turn in batch.ended]
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, {"tokens": json.dumps(batch.tokens), "turns": json.dumps(rows, default=str)})
    for pk, reason in sorted(batch.refused.items()):
        ConversationMessage.objects.filter(pk=pk).update(refused=reason)
    for pk, reason in sorted(batch.refused_images.items()):
        Attachment.objects.filter(pk=pk).update(refused=reason)
    held_up = {turn.conversation_id for turn in batch.ended if turn.waits_for}  # by a cause that owners are told of
    for reason, conversation_ids in batch.flags.items():
        kind = None if held_up.issuperset(conversation_ids) else Kind.HANDOVER
        handover.mark_needs_person(conversation_ids, reason, kind=kind)
    for conversation_id, why, summary in batch.handovers:
        handover.mark_needs_person([conversation_id], why, summary)
    noting.note(batch.notes)
    UnansweredQuestion.objects.bulk_create(batch.unknown, ignore_conflicts=True)
    opening.open_for(batch.unanswered)
    crashpoints.reach("C23")
