"""What the list of conversations shows beside the columns of their rows: read once for a whole page."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from conversations.models import Conversation

SNIPPET = 90
MANY = 100  # unread messages are counted up to here

# Two look-ups in the index message_history a row of the page, whatever the length of the conversation.
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
            AND m.created_at > coalesce(c.seen_at, '-infinity') LIMIT %(many)s
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
        words = " ".join(self.text.split())
        who = {"assistant": "→ ", "system": "· "}.get(self.role, "")
        return f"{who}{words[:SNIPPET]}{'…' if len(words) > SNIPPET else ''}" if words else "—"

    @property
    def unread_label(self) -> str:
        return "99+" if self.unread >= MANY else str(self.unread or "")


def rows_of(conversations: Sequence[Conversation]) -> dict[int, ListRow]:
    """The last message and the number of unread ones of each, by conversation id."""
    ids = [conversation.pk for conversation in conversations]
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"ids": ids, "length": SNIPPET * 3, "many": MANY})
        return {pk: ListRow(text or "", role or "", unread) for pk, text, role, unread in cursor.fetchall()}
