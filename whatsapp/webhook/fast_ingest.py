"""The usual delivery in one round trip: new messages of known kinds, for a number in good order.

What `ingest` does step by step (find the conversation, store the message, capture the lead, open or extend
the turn, defer the wake-up) stands here as one statement, committed by itself: the same rows under the same locks in
the same order. Whatever is not usual is left to the steps: then the statement changes nothing and says so.
`whatsapp/tests/test_one_statement.py` holds the two against each other. Lookups are written as subqueries for each
message where a join would do: without statistics of a young table a join reads all conversations of the number.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from django.conf import settings
from django.db import connection

from runtime import notify

from .types import ChatMessage, InboundMessage

# Kinds that bring nothing about but an answer: no file to fetch, no other message to change, nobody who moves.
USUAL_KINDS = {"text", "button", "interactive", "location", "contacts", "order"}

_STATEMENT = """
WITH arrival AS MATERIALIZED (
    SELECT m.*,
        COALESCE(account.tenant_id, (
            SELECT id FROM tenants WHERE is_single AND NOT %(multitenant)s::boolean)) AS tenant_id
    FROM jsonb_to_recordset(%(messages)s::jsonb) AS m(
        position int, phone_number_id text, external_id text, user_id text, name text, at timestamptz, text text,
        raw_json jsonb, wamid text, kind text, reply_to text, speaks boolean, at_once boolean, referral jsonb)
    LEFT JOIN whatsapp_accounts account ON %(multitenant)s::boolean
        AND account.phone_number_id = m.phone_number_id AND account.is_active
        AND account.app_secret = '' AND account.last_delivery_at > statement_timestamp() - interval '1 minute'
), usual AS MATERIALIZED (
    SELECT WHERE NOT EXISTS (  -- every number is known, signs with the installation's secret, and was seen lately
        SELECT FROM arrival WHERE tenant_id IS NULL
    ) AND NOT EXISTS (  -- nobody is known by another name
        SELECT FROM arrival a WHERE a.external_id <> (
            SELECT c.external_id FROM conversations c WHERE c.channel = 'whatsapp'
                AND c.phone_number_id = a.phone_number_id AND c.contact_user_id = a.user_id)
    ) AND NOT EXISTS (  -- and no conversation is another tenant's
        SELECT FROM arrival a WHERE (
            SELECT c.tenant_id IS DISTINCT FROM a.tenant_id FROM conversations c WHERE c.channel = 'whatsapp'
                AND c.phone_number_id = a.phone_number_id AND c.external_id = a.external_id)
    ) AND NOT EXISTS (  -- and no webhook is to be told
        SELECT FROM arrival a WHERE EXISTS (SELECT FROM webhook_endpoints w WHERE w.is_active
            AND ('message.received' = ANY (w.event_types) OR 'lead.created' = ANY (w.event_types))
            AND w.tenant_id = a.tenant_id)
    )
), person AS (
    SELECT tenant_id, phone_number_id, external_id, max(user_id) AS user_id,
        COALESCE((array_agg(name ORDER BY position DESC) FILTER (WHERE name <> ''))[1], '') AS name,
        max(at) FILTER (WHERE speaks) AS inbound_at, max(at) AS message_at
    FROM arrival, usual GROUP BY tenant_id, phone_number_id, external_id
), located AS (
    INSERT INTO conversations AS c
        (tenant_id, phone_number_id, external_id, contact_user_id, contact_name, last_inbound_at, last_message_at)
    SELECT tenant_id, phone_number_id, external_id, user_id, name, inbound_at, message_at
    FROM person ORDER BY phone_number_id, external_id
    ON CONFLICT (channel, phone_number_id, external_id) DO UPDATE SET
        contact_user_id = COALESCE(EXCLUDED.contact_user_id, c.contact_user_id),
        contact_name = COALESCE(NULLIF(EXCLUDED.contact_name, ''), c.contact_name),
        last_inbound_at = GREATEST(c.last_inbound_at, EXCLUDED.last_inbound_at),
        last_message_at = GREATEST(c.last_message_at, EXCLUDED.last_message_at),
        updated_at = clock_timestamp()
    WHERE c.tenant_id = EXCLUDED.tenant_id
    RETURNING id, tenant_id, phone_number_id, external_id, is_active, handled_by
), placed AS (
    SELECT a.*, l.id AS conversation_id, l.is_active AND l.handled_by = 'assistant' AS is_answered
    -- As one value: for each further column the planner expects fewer rows, and at one it compares all with all.
    FROM arrival a JOIN located l
        ON ARRAY[l.phone_number_id::text, l.external_id] = ARRAY[a.phone_number_id, a.external_id]
), stored AS (
    INSERT INTO conversation_messages AS m
        (conversation_id, role, origin, text, raw_json, external_id, kind, sent_at, reply_to)
    SELECT conversation_id, 'user', 'customer', text, raw_json, wamid, kind, at, reply_to
    FROM placed ORDER BY position
    ON CONFLICT (conversation_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
    RETURNING id, conversation_id, external_id, message_was_corrected(conversation_id, external_id) AS corrected
), captured AS (
    INSERT INTO leads (tenant_id, conversation_id, name, phone, source, first_text, referral)
    SELECT DISTINCT ON (p.conversation_id) p.tenant_id, p.conversation_id, p.name, p.external_id,
        CASE WHEN p.referral IS NULL THEN 'whatsapp' ELSE 'advertisement' END, p.text, p.referral
    FROM stored s JOIN placed p ON p.wamid = s.external_id  -- unique in a delivery: `is_usual`
    ORDER BY p.conversation_id, p.position
    ON CONFLICT (conversation_id) DO NOTHING
), burst AS (
    SELECT s.conversation_id, p.tenant_id, min(s.id) AS first_id, max(s.id) AS last_id,
        (array_agg(p.at_once ORDER BY s.id DESC))[1] AS at_once
    FROM stored s JOIN placed p ON p.wamid = s.external_id  -- unique in a delivery: `is_usual`
    WHERE p.speaks AND p.is_answered GROUP BY s.conversation_id, p.tenant_id
), opened AS (
    INSERT INTO turns AS t (conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
    SELECT b.conversation_id, b.first_id, b.last_id,
        statement_timestamp() + CASE WHEN b.at_once THEN interval '0' ELSE
            LEAST(COALESCE(s.quiet_seconds, %(quiet)s), COALESCE(s.max_wait_seconds, %(max_wait)s))
            * interval '1 second' END,
        statement_timestamp() + COALESCE(s.max_wait_seconds, %(max_wait)s) * interval '1 second'
    FROM burst b LEFT JOIN assistants s ON s.tenant_id = b.tenant_id
    ORDER BY b.conversation_id
    ON CONFLICT (conversation_id) WHERE state IN ('collecting', 'generating') DO UPDATE SET
        last_message_id = GREATEST(t.last_message_id, EXCLUDED.last_message_id),
        due_at = CASE t.state WHEN 'collecting' THEN LEAST(EXCLUDED.due_at, t.latest_due_at) ELSE t.due_at END
    RETURNING id, conversation_id, due_at, xmax = 0 AS is_new
), woken AS (
    SELECT procrastinate_defer_jobs_v1(array_agg(ROW('default', 'assistant.tasks.answer', 0, NULL, NULL,
        jsonb_build_object('turn_id', o.id), o.due_at)::procrastinate_job_to_defer_v1)) AS ids,
        bool_or(o.due_at <= statement_timestamp()) AS due_now
    FROM opened o JOIN burst b USING (conversation_id) WHERE o.is_new OR b.at_once HAVING count(*) > 0
)
SELECT EXISTS (SELECT FROM usual), (SELECT due_now AND ids IS NOT NULL FROM woken), s.conversation_id, s.external_id,
    s.corrected
FROM (SELECT) AS once LEFT JOIN stored s ON true
"""


@dataclass(frozen=True, slots=True)
class New:
    """A message that was stored and had not been there."""

    conversation_id: int
    wamid: str
    corrected: bool  # its edit or revoke came before it


def is_usual(items: Sequence[ChatMessage]) -> bool:
    """Whether these messages may go the short way, by what they say themselves."""
    wamids = {item.wamid for item in items}
    return len(wamids) == len(items) > 0 and all(
        isinstance(item, InboundMessage) and item.wamid and item.phone and item.kind in USUAL_KINDS for item in items
    )


def store(items: Sequence[InboundMessage], times: Sequence[dt.datetime]) -> list[New] | None:
    """Store usual messages, all or none: those that were new; None when they must go the long way.

    `times`: when each was written, never in the future. Raises what Django's database raises.
    """
    connection.ensure_connection()
    # Not Django's cursor: it binds on the client, and planning this statement costs more than running it.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_STATEMENT, _parameters(items, times), prepare=True)
        rows = cursor.fetchall()
    if not rows[0][0]:
        return None
    if rows[0][1]:
        notify.notify_workers()
    return [New(conversation_id, wamid, corrected) for _, _, conversation_id, wamid, corrected in rows if wamid]


def _parameters(items: Sequence[InboundMessage], times: Sequence[dt.datetime]) -> dict[str, object]:
    rows = [
        {
            "position": position,
            "phone_number_id": item.phone_number_id,
            "external_id": item.phone,
            "user_id": item.user_id,
            "name": item.name,
            "at": at.isoformat(),
            "text": item.text,
            "raw_json": item.raw,
            "wamid": item.wamid,
            "kind": item.kind,
            "reply_to": item.reply_to or item.target or "",
            "speaks": item.speaks,
            "at_once": item.at_once,
            "referral": item.referral,
        }
        for position, (item, at) in enumerate(zip(items, times, strict=True))
    ]
    return {
        "messages": json.dumps(rows),
        "multitenant": settings.MULTITENANT_ENABLED,
        "quiet": float(settings.TURN_QUIET_SECONDS),
        "max_wait": float(settings.TURN_MAX_WAIT_SECONDS),
    }
