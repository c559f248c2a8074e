"""What a row of the inbox shows besides its conversation, read in one query per page."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format

from conversations.models import Conversation
from tenants.users import display_name

from . import extensions

SNIPPET_LENGTH = 120
MAX_UNREAD = 100  # unread messages are counted up to this number
LOOKED_THROUGH = 200  # messages, for the customer's last words

# Lookups in the index message_history, however long the conversation is.
_ROWS = """
SELECT c.id, last.text, last.at, unread.number
FROM conversations c
LEFT JOIN LATERAL (
    SELECT left(recent.text, %(length)s) AS text, coalesce(recent.sent_at, recent.created_at) AS at
    FROM (
        SELECT m.id, m.role, m.kind, m.text, m.sent_at, m.created_at FROM conversation_messages m
        WHERE m.conversation_id = c.id ORDER BY m.created_at DESC, m.id DESC LIMIT %(looked_through)s
    ) recent
    WHERE recent.role = 'user' AND recent.kind NOT IN ('edit', 'revoke', 'reaction')
    ORDER BY recent.created_at DESC, recent.id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT 1 FROM conversation_messages m
        WHERE m.conversation_id = c.id AND m.role = 'user' AND m.created_at > coalesce(c.seen_at, '-infinity')
            AND (c.needs_person <> '' OR c.handled_by = 'operator') LIMIT %(max_unread)s
    ) capped
) unread ON true
WHERE c.id = ANY(%(ids)s)
"""


@dataclass(frozen=True, slots=True)
class ListRow:
    conversation: Conversation
    text: str  # the beginning of the customer's last message
    at: dt.datetime | None  # when it was sent
    unread: int  # only where a person is needed or has taken over
    badges: list[str]

    @property
    def words(self) -> str:
        text = " ".join(self.text.split())
        return f"{text[:SNIPPET_LENGTH]}{'…' if len(text) > SNIPPET_LENGTH else ''}" or "—"

    @property
    def unread_label(self) -> str:
        return "99+" if self.unread >= MAX_UNREAD else str(self.unread or "")

    @property
    def when(self) -> str:
        """The time, or the date if that isn't today."""
        at = self.at or self.conversation.last_message_at
        if at is None:
            return ""
        local = timezone.localtime(at)
        return date_format(local, "H:i" if local.date() == timezone.localdate() else "j M")

    @property
    def handler(self) -> str:
        """Who handles it, unless it's the assistant."""
        if self.conversation.handled_by == Conversation.Handler.OPERATOR:
            return display_name(self.conversation.operator) if self.conversation.operator else "Team"
        is_answered = self.conversation.is_active and not self.conversation.is_group
        return "" if is_answered else "Assistant disabled"


def rows_for(conversations: Sequence[Conversation]) -> list[ListRow]:
    badges = extensions.badges_for(conversations)
    limits = {"length": SNIPPET_LENGTH * 3, "max_unread": MAX_UNREAD, "looked_through": LOOKED_THROUGH}
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"ids": [each.pk for each in conversations], **limits})
        found = {pk: (text or "", at, unread) for pk, text, at, unread in cursor.fetchall()}
    return [ListRow(each, *found.get(each.pk, ("", None, 0)), badges.get(each.pk, [])) for each in conversations]
