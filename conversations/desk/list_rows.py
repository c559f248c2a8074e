"""The last message and the unread count of each conversation in the list, read in one query per page."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from conversations.models import Conversation

SNIPPET_LENGTH = 90
MAX_UNREAD = 100  # unread messages are counted up to this number

# Two lookups in the index message_history per conversation, however long it is.
_ROWS = """
SELECT c.id, last.text, last.role, unread.number
FROM conversations c
LEFT JOIN LATERAL (
    SELECT left(m.text, %(length)s) AS text, m.role FROM conversation_messages m
    WHERE m.conversation_id = c.id ORDER BY m.created_at DESC, m.id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT 1 FROM conversation_messages m
        WHERE m.conversation_id = c.id AND m.role = 'user'
            AND m.created_at > coalesce(c.seen_at, '-infinity') LIMIT %(max_unread)s
    ) capped
) unread ON true
WHERE c.id = ANY(%(ids)s)
"""


@dataclass(frozen=True, slots=True)
class ListRow:
    text: str = ""
    role: str = ""
    unread: int = 0

    @property
    def snippet(self) -> str:
        text = " ".join(self.text.split())
        if not text:
            return "—"
        prefix = {"assistant": "→ ", "system": "· "}.get(self.role, "")
        return f"{prefix}{text[:SNIPPET_LENGTH]}{'…' if len(text) > SNIPPET_LENGTH else ''}"

    @property
    def unread_label(self) -> str:
        return "99+" if self.unread >= MAX_UNREAD else str(self.unread or "")


def rows_for(conversations: Sequence[Conversation]) -> dict[int, ListRow]:
    """By conversation ID."""
    ids = [conversation.pk for conversation in conversations]
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"ids": ids, "length": SNIPPET_LENGTH * 3, "max_unread": MAX_UNREAD})
        return {pk: ListRow(text or "", role or "", unread) for pk, text, role, unread in cursor.fetchall()}
