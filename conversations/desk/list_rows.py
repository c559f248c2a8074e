"""What a row of the inbox shows besides its conversation, read in one query per page."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format

from conversations import search
from conversations.models import Conversation
from conversations.search import FoundMessage
from runtime.words import occurrences
from tenants.users import display_name

from . import extensions, transcript

SNIPPET_LENGTH = 120
BEFORE_FOUND = 12  # characters of a message that are shown before what a search has found in it
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
    term: str = ""  # what was searched for
    found: FoundMessage | None = None  # the newest message that contains it

    @property
    def words(self) -> str:
        text, start = " ".join((self.found.text if self.found else self.text).split()), 0
        if self.found and (places := occurrences(text, self.term)):
            start = max(0, places[0][0] - BEFORE_FOUND)
        end = start + SNIPPET_LENGTH
        return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}" or "—"

    @property
    def place(self) -> str:
        """The message that was found, as the rest of a URL that has a query string."""
        if self.found is None:
            return ""
        page = f"&before={self.found.before}" if self.found.before else ""
        return f"{page}#message-{self.found.pk}"

    @property
    def unread_label(self) -> str:
        return "99+" if self.unread >= MAX_UNREAD else str(self.unread or "")

    @property
    def when(self) -> str:
        """The time, or the date if that isn't today."""
        at = self.at or self.conversation.last_message_at
        if at is None:
            return ""
        local, today = timezone.localtime(at), timezone.localdate()
        return date_format(local, "H:i" if local.date() == today else "j M" if local.year == today.year else "j M Y")

    @property
    def handler(self) -> str:
        """Who handles it, unless it's the assistant."""
        if self.conversation.handled_by == Conversation.Handler.OPERATOR:
            return display_name(self.conversation.operator) if self.conversation.operator else "Team"
        is_answered = self.conversation.is_active and not self.conversation.is_group
        return "" if is_answered else "Assistant disabled"


def rows_for(conversations: Sequence[Conversation], term: str = "") -> list[ListRow]:
    badges = extensions.badges_for(conversations)
    limits = {"length": SNIPPET_LENGTH * 3, "max_unread": MAX_UNREAD, "looked_through": LOOKED_THROUGH}
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"ids": [each.pk for each in conversations], **limits})
        rows = {pk: (text or "", at, unread) for pk, text, at, unread in cursor.fetchall()}
    found = search.newest_matches([each.pk for each in conversations], term, transcript.PAGE_SIZE) if term else {}
    return [
        ListRow(each, *rows.get(each.pk, ("", None, 0)), badges.get(each.pk, []), term, found.get(each.pk))
        for each in conversations
    ]
