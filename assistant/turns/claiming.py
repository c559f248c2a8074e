"""Claiming due turns: one statement for the turns and their settings, one for their messages."""

import datetime as dt
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from assistant.model import context
from assistant.model.context import Shown
from assistant.models import DEFAULT_FALLBACK, Assistant, Dialect, Turn
from conversations.files import attachments
from conversations.history.messages import Window, windows_of
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.pauses import Pause
from runtime.database import is_transient
from runtime.dispatching import SHARE, Claimed, Shares, has_full_share
from tenants.models import Tenant

from .policy import Silence, is_over_budget, reason_of, silence_of

logger = logging.getLogger(__name__)

MAX_LOST_LEASES = 5  # a turn that kills its workers must not do so forever
FILE_KINDS = ("audio", "image", "document")  # kinds whose content the model may be shown


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    """The right to write one reply, until the lease ends or someone else holds a later generation.

    If `silence`, `is_exhausted` or `error` is set, the turn only needs to be closed.
    """

    turn_id: int
    generation: int
    conversation_id: int
    tenant_id: int
    first_message_id: int
    assistant: Assistant
    dialect: Dialect  # what its endpoint accepts
    phone_number_id: str
    pauses: Sequence[Pause]  # active ones of model endpoints
    former_pauses: Sequence[str]  # the scopes of those that are over, though no call has succeeded since
    silence: Silence | None
    is_exhausted: bool  # too many workers lost their lease on it
    shown: list[Shown]  # the history for the model, oldest first
    seen_ids: list[int]  # the rows behind them, all kinds
    newest: str  # wamid of the customer's newest message; '' if it has none
    quotable: str  # wamid of the newest one that a reply can quote; '' if there's none
    is_ambiguous: bool  # other messages are open too, so the reply quotes the one it answers
    error: str = ""  # why it can't be answered

    @property
    def messages(self) -> list[dict[str, object]]:
        return [shown.as_message() for shown in self.shown]


_TAKE = """, due AS MATERIALIZED (
    SELECT turn.id, share.places FROM share CROSS JOIN LATERAL (
        SELECT t.id FROM turns t
        WHERE t.state = 'collecting' AND t.tenant_id = share.tenant_id AND t.due_at <= statement_timestamp()
            AND NOT EXISTS (  -- a file of its messages that's still worth waiting for
                SELECT FROM attachments f JOIN conversation_messages m ON m.id = f.message_id
                WHERE f.state IN ('pending', 'reading') AND f.kind = ANY (%(file_kinds)s)
                    AND f.created_at > statement_timestamp() - %(patience)s * interval '1 second'
                    AND m.id BETWEEN t.first_message_id AND t.last_message_id
                    AND m.conversation_id = t.conversation_id)
        ORDER BY t.due_at LIMIT share.places FOR UPDATE SKIP LOCKED) AS turn
), expired AS MATERIALIZED (
    SELECT id, lost_leases + 1 >= %(max_lost)s AS is_exhausted FROM turns
    WHERE state = 'generating' AND lease_until < statement_timestamp()
    ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), recovered AS (  -- due again; the next claim shares them out like the others
    UPDATE turns SET state = 'collecting', due_at = statement_timestamp(), lease_until = NULL,
        lost_leases = lost_leases + 1
    WHERE id IN (SELECT id FROM expired WHERE NOT is_exhausted) RETURNING id
), exhausted AS (
    UPDATE turns AS t SET generation = t.generation + 1, lost_leases = t.lost_leases + 1,
        lease_until = statement_timestamp() + %(lease)s * interval '1 second'
    WHERE id IN (SELECT id FROM expired WHERE is_exhausted)
    RETURNING t.id, t.generation, t.first_message_id, t.conversation_id, t.tenant_id, true AS is_exhausted, 0 AS places
), fresh AS (
    UPDATE turns AS t SET state = 'generating', generation = t.generation + 1,
        lease_until = statement_timestamp() + %(lease)s * interval '1 second'
    FROM due WHERE t.id = due.id
    RETURNING t.id, t.generation, t.first_message_id, t.conversation_id, t.tenant_id, false AS is_exhausted, due.places
)
SELECT look.*, claimed.id AS turn_id, claimed.generation, claimed.first_message_id, claimed.tenant_id,
    claimed.is_exhausted, claimed.places, c.id AS conversation_id, c.phone_number_id, c.handled_by, c.is_active,
    c.last_inbound_at, tenant.is_active AS tenant_is_active, to_jsonb(a) AS assistant, usage.tokens,
    (SELECT count(*) FROM turns r WHERE r.conversation_id = claimed.conversation_id AND r.state = 'replied'
        AND r.opened_at > statement_timestamp() - interval '1 hour') AS recent_replies,
    (SELECT jsonb_agg(d) FROM model_dialects d WHERE d.tenant_id = claimed.tenant_id) AS dialects
FROM (
    SELECT (SELECT count(*) FROM recovered) AS recovered, (
        SELECT EXTRACT(EPOCH FROM min(later.due_at) - statement_timestamp())::float FROM head CROSS JOIN LATERAL (
            SELECT t.due_at FROM turns t WHERE t.state = 'collecting' AND t.tenant_id = head.tenant_id
                AND t.due_at > statement_timestamp() ORDER BY t.due_at LIMIT 1) AS later
    ) AS next_in, (
        SELECT jsonb_agg(jsonb_build_object('scope', scope, 'reason', reason, 'credential', credential,
            'is_over', COALESCE(until <= statement_timestamp(), false))) FROM pauses WHERE scope LIKE 'model:%%'
    ) AS pauses
) AS look
LEFT JOIN (SELECT * FROM fresh UNION ALL SELECT * FROM exhausted) AS claimed ON true
LEFT JOIN conversations c ON c.id = claimed.conversation_id
LEFT JOIN tenants tenant ON tenant.id = claimed.tenant_id
LEFT JOIN assistants a ON a.tenant_id = claimed.tenant_id
LEFT JOIN daily_usage usage
    ON usage.tenant_id = claimed.tenant_id AND usage.day = (statement_timestamp() AT TIME ZONE 'UTC')::date
"""
_CLAIM = SHARE.format(table="turns", waiting="state = 'collecting'", due_at="due_at") + _TAKE


class _Row(NamedTuple):
    """A row of the result, in column order. All but the first three columns are NULL if nothing is due."""

    recovered: int
    next_in: float | None
    pauses: str | None  # JSON
    turn_id: int
    generation: int
    first_message_id: int
    tenant_id: int
    is_exhausted: bool
    places: int  # how many turns this business could get
    conversation_id: int
    phone_number_id: str
    handled_by: str
    is_active: bool
    last_inbound_at: dt.datetime | None
    tenant_is_active: bool
    assistant: str | None  # JSON
    tokens_today: int | None
    recent_replies: int  # to this customer, within an hour
    dialects: str | None  # JSON


class _FoundPause(NamedTuple):
    scope: str
    reason: str
    credential: str
    is_over: bool


def claim(shares: Shares) -> Claimed[ClaimedTurn]:
    """Claim due turns (*collecting* to *generating*, with a lease), and recover those whose lease has expired."""
    parameters: dict[str, str | int | float | list[str]] = {
        **shares.parameters(),
        "lease": float(settings.TURN_LEASE_SECONDS),
        "max_lost": MAX_LOST_LEASES,
        "file_kinds": list(FILE_KINDS),
        "patience": float(settings.ATTACHMENT_WAIT_SECONDS),
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        look, *_ = found = [_Row(*columns) for columns in cursor.fetchall()]
    rows = [row for row in found if row.turn_id is not None]
    return Claimed(
        _loaded(rows, [_FoundPause(**pause) for pause in json.loads(look.pauses or "[]")]),
        more=bool(look.recovered)
        or has_full_share((row.tenant_id, row.places) for row in rows if not row.is_exhausted),
        next_in=look.next_in,
    )


def _loaded(rows: Sequence[_Row], pauses: Sequence[_FoundPause]) -> list[ClaimedTurn]:
    """A row that can't be loaded doesn't affect the others."""
    try:
        return _loaded_together(rows, pauses)
    except Exception as error:
        if is_transient(error):
            raise
        if len(rows) > 1:
            return [turn for row in rows for turn in _loaded([row], pauses)]
        logger.exception("turn %s: it couldn't be loaded", rows[0].turn_id)
        return [_broken(rows[0], f"The conversation couldn't be loaded: {reason_of(error)}")]


def _loaded_together(rows: Sequence[_Row], pauses: Sequence[_FoundPause]) -> list[ClaimedTurn]:
    assistants = {row.tenant_id: Assistant.from_json(row.assistant, row.tenant_id) for row in rows}
    histories = windows_of(
        (
            Window(row.conversation_id, assistants[row.tenant_id].history_limit, row.first_message_id)
            for row in rows
            if not row.is_exhausted
        ),
        uncounted=context.SILENT,
    )
    files = attachments.of([message for history in histories.values() for message in history])
    return [
        _claimed(row, assistants[row.tenant_id], histories.get(row.conversation_id, []), files, pauses) for row in rows
    ]


def _claimed(
    row: _Row,
    assistant: Assistant,
    history: Sequence[ConversationMessage],
    files: context.Files,
    pauses: Sequence[_FoundPause],
) -> ClaimedTurn:
    conversation = Conversation(
        pk=row.conversation_id,
        tenant=Tenant(pk=row.tenant_id, is_active=row.tenant_is_active),
        handled_by=row.handled_by,
        is_active=row.is_active,
        last_inbound_at=row.last_inbound_at,
    )
    silence = silence_of(conversation)
    if silence is None and is_over_budget(assistant, row.tokens_today or 0):
        silence = Silence.OUT_OF_BUDGET
    if silence is None and 0 < settings.CUSTOMER_REPLIES_PER_HOUR <= row.recent_replies:
        silence = Silence.TOO_MANY_REPLIES
    theirs = [message for message in history if message.role == "user" and message.external_id]
    spoken = [message for message in history if message.kind not in context.SILENT]
    asked = [message for message in spoken if message in theirs]
    last_asked = context.in_order(asked, row.first_message_id)[-1:]
    open_ones = [message for message in asked if message.pk >= row.first_message_id]
    refused = [message.refused for message in open_ones if message.refused]
    return ClaimedTurn(
        turn_id=row.turn_id,
        generation=row.generation,
        conversation_id=row.conversation_id,
        tenant_id=row.tenant_id,
        first_message_id=row.first_message_id,
        assistant=assistant,
        dialect=Dialect.from_json(row.dialects, row.tenant_id, assistant.endpoint, assistant.model_name),
        phone_number_id=row.phone_number_id,
        pauses=[
            Pause(scope=each.scope, reason=each.reason, credential=each.credential)
            for each in pauses
            if not each.is_over
        ],
        former_pauses=[each.scope for each in pauses if each.is_over],
        silence=silence,
        is_exhausted=row.is_exhausted,
        shown=context.show(history, row.first_message_id, files, assistant.sees_images),
        seen_ids=[message.pk for message in history],
        newest=(theirs[-1].external_id or "") if theirs else "",
        quotable=(last_asked[0].external_id or "") if last_asked else "",
        is_ambiguous=bool(asked) and (spoken[-1] is not asked[-1] or len(open_ones) > 1),
        error=refused[-1] if refused and len(refused) == len(open_ones) else "",
    )


def _broken(row: _Row, error: str) -> ClaimedTurn:
    settings_of_tenant = json.loads(row.assistant) if row.assistant else {}
    return ClaimedTurn(
        turn_id=row.turn_id,
        generation=row.generation,
        conversation_id=row.conversation_id,
        tenant_id=row.tenant_id,
        first_message_id=row.first_message_id,
        assistant=Assistant(fallback_text=settings_of_tenant.get("fallback_text", DEFAULT_FALLBACK)),
        dialect=Dialect(),
        phone_number_id=row.phone_number_id,
        pauses=[],
        former_pauses=[],
        silence=None,
        is_exhausted=row.is_exhausted,
        shown=[],
        seen_ids=[],
        newest="",
        quotable="",
        is_ambiguous=False,
        error=error,
    )


def release(turns: Sequence[ClaimedTurn]) -> None:
    """Give claimed turns back, due at once, because this process is stopping before it has their answers."""
    mine = Q()
    for turn in turns:
        mine |= Q(pk=turn.turn_id, generation=turn.generation)
    if turns:
        held = Turn.objects.filter(mine, state=Turn.State.GENERATING)
        held.update(state=Turn.State.COLLECTING, lease_until=None, due_at=Now())
