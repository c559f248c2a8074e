"""After a restore: no customer is answered twice.

Whatever was open when the backup was made may have been finished since, and the restored database doesn't know. So
nothing of it goes out any more: messages become *uncertain*, turns end without a reply, and the conversations are
flagged. A row in `restores` keeps the messages that Meta delivers again from being answered: `assistant.turns.opening`.

New rows get IDs that no row had before: Meta's statuses, API clients and webhook receivers may still name the IDs that
were given after the backup.
"""

import datetime as dt

from django.db import connection
from psycopg.sql import SQL, Literal

from assistant.restores import FLAG, HELD
from assistant.turns.policy import Silence
from conversations.handover import UNCERTAIN

MAYBE_SENT = "It may have been sent before the database was restored from a backup."

# Only what the schema of 0.2.0 has: it also runs on backups of earlier releases than this one.
_SETTLE = f"""
INSERT INTO restores (backup_at, answered_until) VALUES ({{backup_at}}, COALESCE({{until}}, clock_timestamp()));

UPDATE conversations SET needs_person = '{UNCERTAIN}', needs_person_since = COALESCE(needs_person_since, now()),
    updated_at = now()
WHERE id IN (SELECT conversation_id FROM conversation_messages WHERE status IN ('queued', 'sending'));
UPDATE conversation_messages SET status = 'uncertain', error_detail = '{MAYBE_SENT}'
WHERE status IN ('queued', 'sending');

UPDATE conversations SET needs_person = '{FLAG}', needs_person_since = COALESCE(needs_person_since, now()),
    updated_at = now()
WHERE id IN (SELECT conversation_id FROM turns WHERE state IN ('collecting', 'generating') OR waits_for <> '');
UPDATE conversation_messages m SET refused = '{HELD}'
FROM turns t WHERE (t.state IN ('collecting', 'generating') OR t.waits_for <> '') AND m.role = 'user'
    AND m.conversation_id = t.conversation_id AND m.id BETWEEN t.first_message_id AND t.last_message_id;
UPDATE turns SET state = 'suppressed', outcome = '{Silence.RESTORED.value}', lease_until = NULL, finished_at = now()
WHERE state IN ('collecting', 'generating');
UPDATE turns SET waits_for = '' WHERE waits_for <> '';

SELECT setval(format('%I.%I', schemaname, sequencename)::regclass,
    greatest(COALESCE(last_value, 0), (extract(epoch FROM clock_timestamp()) * 1000)::bigint))
FROM pg_sequences WHERE schemaname = current_schema() AND data_type = 'bigint'::regtype;
"""  # noqa: S608


def settle_sql(backup_at: dt.datetime, answered_until: dt.datetime | None) -> str:
    """For a transaction. answered_until: when the lost installation stopped answering (default: now)."""
    connection.ensure_connection()
    statements = SQL(_SETTLE).format(backup_at=Literal(backup_at), until=Literal(answered_until))
    return statements.as_string(connection.connection)
