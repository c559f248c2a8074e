"""Tells whether an echo was written by a person or is the WhatsApp Business app's greeting or away message.

A person takes the conversation over; an automatic text doesn't. It comes sooner than anyone can type it, or several
customers of the business get the same. The first of them may get it before that shows: `judge` corrects it then.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import MD5

from conversations import handover
from conversations.choices import MessageOrigin
from conversations.models import Conversation, ConversationMessage, lock
from runtime import jobs

from .items import SILENT_KINDS

TASK = "whatsapp.tasks.judge_echo"
IMPOSSIBLE, FAST = 15, 8  # characters per second: faster than anyone types on a phone; faster than most people
SHORTEST, LONG = 20, 40  # characters: what's shorter, people type often, or before the customer's message arrives
SEVERAL = 3  # customers
SOON = 60  # seconds
SEEN_WITHIN_DAYS = 30
LOOKED_THROUGH = 50  # messages, for when the customer began to wait

# `waited`: seconds since the customer wrote, after our side last had. `same`: how many other conversations of the
# business got this text, through the index message_echoed.
_CLUES = """
SELECT e.id, e.text, c.tenant_id, waited.seconds, coalesce(same.number, 0), coalesce(same.is_known, false)
FROM conversation_messages e JOIN conversations c ON c.id = e.conversation_id
LEFT JOIN LATERAL (
    SELECT EXTRACT(EPOCH FROM e.sent_at - min(sent_at))::float AS seconds FROM (
        SELECT role, kind, sent_at, count(*) FILTER (WHERE role = 'assistant' AND origin <> 'automatic')
            OVER (ORDER BY created_at DESC, id DESC) AS answers
        FROM (
            SELECT * FROM conversation_messages m WHERE m.conversation_id = e.conversation_id AND m.id <> e.id
            ORDER BY m.created_at DESC, m.id DESC LIMIT %(looked_through)s
        ) AS latest
    ) AS before
    WHERE answers = 0 AND role = 'user' AND kind <> ALL (%(silent)s) AND sent_at <= e.sent_at
) AS waited ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT o.conversation_id) FILTER (WHERE o.conversation_id <> e.conversation_id) AS number,
        bool_or(o.origin = 'automatic') AS is_known
    FROM conversation_messages o JOIN conversations oc ON oc.id = o.conversation_id
    WHERE md5(o.text) = md5(e.text) AND o.origin IN ('app', 'automatic') AND o.id <> e.id
        AND oc.tenant_id = c.tenant_id AND o.created_at > e.created_at - %(days)s * interval '1 day'
) AS same ON true
WHERE e.id = ANY (%(ids)s) AND e.origin = 'app' AND e.kind = 'text' AND e.reply_to = ''
"""
_OVERTAKEN = """
SELECT DISTINCT last.id FROM jsonb_to_recordset(%s) AS n(conversation_id bigint, id bigint)
JOIN conversation_messages theirs ON theirs.id = n.id
CROSS JOIN LATERAL (
    SELECT m.id, m.origin, m.sent_at FROM conversation_messages m
    WHERE m.conversation_id = n.conversation_id AND m.role = 'assistant' AND m.id < n.id
    ORDER BY m.created_at DESC, m.id DESC LIMIT 1
) AS last
WHERE last.origin = 'app' AND last.sent_at BETWEEN theirs.sent_at AND theirs.sent_at + %s * interval '1 second'
"""
_SPEAKERS = (MessageOrigin.ASSISTANT, MessageOrigin.APP, MessageOrigin.OPERATOR)


@dataclass(frozen=True, slots=True)
class Clues:
    """seconds: how long the customer had waited; None if they weren't waiting. others: conversations with this text."""

    message_id: int
    text: str
    tenant_id: int
    seconds: float | None
    others: int
    is_known: bool  # this text was automatic before

    @property
    def is_automatic(self) -> bool:
        length = len(self.text)
        is_fast = self.seconds is not None and length >= SHORTEST and self.seconds < length / FAST
        if self.is_known or self.others:
            is_common = self.others >= SEVERAL - 1 and self.seconds is not None and self.seconds < SOON
            return is_fast or (length >= LONG and (self.is_known or is_common))
        return self.seconds is not None and length >= LONG and self.seconds < length / IMPOSSIBLE


def clues_of(message_ids: Sequence[int]) -> list[Clues]:
    """Of those of these messages that count as a person's echo so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLUES,
            {
                "ids": list(message_ids),
                "days": SEEN_WITHIN_DAYS,
                "looked_through": LOOKED_THROUGH,
                "silent": sorted(SILENT_KINDS),
            },
        )
        return [Clues(*row) for row in cursor.fetchall()]


def mark_automatic(message_ids: Sequence[int]) -> set[int]:
    """Mark those of these new echoes that are automatic, and have the earlier ones with the same text corrected.

    Call it in the transaction that stores them. Returns their IDs.
    """
    found = [clues for clues in clues_of(message_ids) if clues.is_automatic] if message_ids else []
    ids = {clues.message_id for clues in found}
    if ids:
        ConversationMessage.objects.filter(pk__in=ids).update(origin=MessageOrigin.AUTOMATIC)
    jobs.defer(TASK, *({"message_id": clues.message_id} for clues in found if clues.others))
    return ids


def judge_overtaken(messages: Iterable[tuple[int, int]]) -> None:
    """A customer's message may come after the automatic answer to it: have such answers judged again.

    messages: conversation and message IDs of customers' new messages to conversations that a person handles.
    """
    rows = [{"conversation_id": conversation_id, "id": pk} for conversation_id, pk in messages]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_OVERTAKEN, [json.dumps(rows), SOON])
            jobs.defer(TASK, *({"message_id": pk} for (pk,) in cursor.fetchall()))


def judge(message_id: int) -> None:
    """If this echo is automatic, so is every echo of the business with the same text.

    Conversations that nobody else has taken over go back to the assistant, which answers what's open. Safe to run
    twice.
    """
    echo = ConversationMessage.objects.select_related("conversation").filter(pk=message_id).first()
    if echo is None:
        return
    if echo.origin != MessageOrigin.AUTOMATIC and not any(clues.is_automatic for clues in clues_of([message_id])):
        return
    same = ConversationMessage.objects.alias(hash=MD5("text")).filter(
        hash=hashlib.md5(echo.text.encode(), usedforsecurity=False).hexdigest(),
        origin=MessageOrigin.APP,
        conversation__tenant=echo.conversation.tenant_id,
        created_at__gt=echo.created_at - dt.timedelta(days=SEEN_WITHIN_DAYS),
    )
    for pk, conversation_id in same.order_by("conversation_id", "pk").values_list("pk", "conversation_id"):
        with transaction.atomic():
            lock(pk=conversation_id)
            marked = ConversationMessage.objects.filter(pk=pk, origin=MessageOrigin.APP)
            if marked.update(origin=MessageOrigin.AUTOMATIC) and not _has_person(conversation_id):
                handover.hand_back(conversation_id)


def _has_person(conversation_id: int) -> bool:
    """Whether someone took it over at the desk, or wrote since the assistant last did."""
    said = ConversationMessage.objects.filter(conversation=conversation_id, origin__in=_SPEAKERS)
    last = said.order_by("-created_at", "-pk").values_list("origin", flat=True).first()
    is_at_desk = Conversation.objects.filter(pk=conversation_id, operator__isnull=False).exists()
    return is_at_desk or last in (MessageOrigin.APP, MessageOrigin.OPERATOR)
