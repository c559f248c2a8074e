"""Claiming due turns: one statement for the turns and their settings, one for their messages."""

import json
from collections.abc import Sequence

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from assistant.models import Turn
from runtime.dispatching import SHARE, Claimed, Shares, has_full_share

from .loading import ClaimedTurn, FoundPause, Row, load

MAX_LOST_LEASES = 5  # a turn that kills its workers must not do so forever
FILE_KINDS = ("audio", "image", "document")  # kinds whose content the model may be shown


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
    c.last_inbound_at, CASE WHEN c.needs_person <> '' THEN c.handover_reason ELSE '' END, c.contact_name,
    tenant.is_active AS tenant_is_active, to_jsonb(a) AS assistant, usage.tokens,
    (SELECT count(*) FROM turns r WHERE r.conversation_id = claimed.conversation_id AND r.state = 'replied'
        AND r.opened_at > statement_timestamp() - interval '1 hour') AS recent_replies,
    (SELECT jsonb_agg(d) FROM model_dialects d WHERE d.tenant_id = claimed.tenant_id) AS dialects,
    (SELECT to_jsonb(h) FROM opening_hours h WHERE h.tenant_id = claimed.tenant_id),
    EXISTS (SELECT FROM knowledge_sources k WHERE k.tenant_id = claimed.tenant_id),
    (SELECT l.fields FROM leads l WHERE l.conversation_id = c.id),
    (SELECT jsonb_agg(jsonb_build_array(f.name, f.type, f.description) ORDER BY f.id) FROM lead_fields f
        WHERE f.tenant_id = claimed.tenant_id),
    (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.generation, s.position) FROM turn_steps s WHERE s.turn_id = claimed.id),
    (SELECT (seen_messages ->> 0)::bigint FROM (
        SELECT id, seen_messages FROM turns WHERE conversation_id = claimed.conversation_id AND id <> claimed.id
        ORDER BY opened_at DESC LIMIT 20) AS former
        WHERE seen_messages <> '[]' LIMIT 1)
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
        look, *_ = found = [Row(*columns) for columns in cursor.fetchall()]
    rows = [row for row in found if row.turn_id is not None]
    return Claimed(
        load(rows, [FoundPause(**pause) for pause in json.loads(look.pauses or "[]")]),
        more=bool(look.recovered)
        or has_full_share((row.tenant_id, row.places) for row in rows if not row.is_exhausted),
        next_in=look.next_in,
    )


def release(turns: Sequence[ClaimedTurn]) -> None:
    """Give claimed turns back, due immediately, because this process is stopping before it has their answers."""
    mine = Q()
    for turn in turns:
        mine |= Q(pk=turn.turn_id, generation=turn.generation)
    if turns:
        held = Turn.objects.filter(mine, state=Turn.State.GENERATING)
        held.update(state=Turn.State.COLLECTING, lease_until=None, due_at=Now())
