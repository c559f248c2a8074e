"""The usual note of a sent message: one statement, committed by itself, where no webhook is to be told of it.

What `outbox.record_sent` does otherwise in a transaction of four. It is plain SQL since Django would look for the
listener in a subquery of its own, and the comparison of the status there would not see who moved it meanwhile.
"""

from django.db import connection

_STATEMENT = """
UPDATE conversation_messages AS m
SET status = 'sent', external_id = %(wamid)s, sent_at = statement_timestamp(), error_code = NULL, error_detail = ''
WHERE m.id = %(id)s AND m.status = 'sending' AND NOT EXISTS (
    SELECT FROM conversations c JOIN webhook_endpoints w
        ON w.tenant_id = c.tenant_id
    WHERE c.id = m.conversation_id AND w.is_active AND 'reply.sent' = ANY (w.event_types))
"""


def note(message_id: int, wamid: str) -> bool:
    """False: nothing was written, since it is not *sending* any more or somebody listens."""
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"id": message_id, "wamid": wamid})
        return bool(cursor.rowcount)
