"""What must hold in a restored database: each query counts the rows that break it."""

PROMISES = {
    "messages that would be sent": "SELECT count(*) FROM conversation_messages WHERE status IN ('queued', 'sending')",
    "turns that would be answered": (
        "SELECT count(*) FROM turns WHERE state IN ('collecting', 'generating') OR waits_for <> ''"
    ),
    "conversations with two open turns": (
        "SELECT count(*) FROM (SELECT FROM turns WHERE state IN ('collecting', 'generating')"
        " GROUP BY conversation_id HAVING count(*) > 1) AS found"
    ),
    "messages stored twice": (
        "SELECT count(*) FROM (SELECT FROM conversation_messages WHERE external_id IS NOT NULL"
        " GROUP BY conversation_id, external_id HAVING count(*) > 1) AS found"
    ),
    "messages of another business than their conversation": (
        "SELECT count(*) FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE m.tenant_id <> c.tenant_id"
    ),
    "turns of another business than their conversation": (
        "SELECT count(*) FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE t.tenant_id <> c.tenant_id"
    ),
    "leads of another business than their conversation": (
        "SELECT count(*) FROM leads l JOIN conversations c ON c.id = l.conversation_id WHERE l.tenant_id <> c.tenant_id"
    ),
    "constraints that weren't checked": "SELECT count(*) FROM pg_constraint WHERE NOT convalidated",
    "invalid indexes": "SELECT count(*) FROM pg_index WHERE NOT indisvalid",
    "messages whose ID will be given again": (
        "SELECT count(*) FROM conversation_messages"
        " WHERE id > (SELECT last_value FROM pg_sequences WHERE sequencename = 'conversation_messages_id_seq')"
    ),
}
