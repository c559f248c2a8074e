"""A page of a conversation as a person reads it: bubbles, oldest first, with what belongs to each."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from conversations.files import attachments
from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage, ConversationNote, Status

from . import extensions, notes
from .notes import name_of

PAGE = 50
LIVE_LIMIT = 200  # what one live update may bring
SIDES = {"user": "in", "assistant": "out", "system": "middle"}
TICKS = {
    Status.QUEUED: ("schedule", "Queued"),
    Status.SENDING: ("schedule", "Sending"),
    Status.SENT: ("check", "Sent"),
    Status.DELIVERED: ("done_all", "Delivered"),
    Status.READ: ("done_all", "Read"),
    Status.FAILED: ("error", "Not sent"),
    Status.UNCERTAIN: ("help", "May not have arrived"),
}


@dataclass(slots=True)
class Bubble:
    """One message with everything the template shows."""

    message: ConversationMessage
    sender: str
    new_day: dt.date | None = None  # the day to announce above it
    quote: ConversationMessage | None = None
    reactions: list[str] = field(default_factory=list)
    note: str = ""
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def created_at(self) -> dt.datetime:
        return self.message.created_at

    @property
    def side(self) -> str:
        return SIDES[self.message.role]

    @property
    def words(self) -> str:
        """Without "[image]" in front where the picture itself stands above it."""
        return re.sub(r"^\[[a-z ]+\]\s*", "", self.message.text) if self.attachments else self.message.text

    @property
    def tick(self) -> tuple[str, str] | None:
        return TICKS[Status(self.message.status)] if self.message.status else None

    @property
    def is_held_up(self) -> bool:
        """Queued, and the last attempt said why it waits."""
        return self.message.status == Status.QUEUED and bool(self.message.error_detail)


@dataclass(slots=True)
class NoteEntry:
    """A note of a person, in its place between the messages."""

    remark: ConversationNote
    new_day: dt.date | None = None

    @property
    def created_at(self) -> dt.datetime:
        return self.remark.created_at


@dataclass(frozen=True, slots=True)
class Page:
    bubbles: list[Bubble]
    has_older: bool
    first_id: int | None
    entries: list[Bubble | NoteEntry] = field(default_factory=list)  # the bubbles, and the notes between them


def newest(conversation: Conversation, size: int = PAGE) -> Page:
    return _page(conversation, _newest_first(conversation), size)


def older(conversation: Conversation, before_id: int, size: int = PAGE) -> Page:
    """The page before that message; empty when this conversation has no such message."""
    mark = conversation.messages.filter(pk=before_id).values_list("created_at", flat=True).first()
    if mark is None:
        return Page([], False, None)
    # Two conditions instead of one OR: the first is a range of the index, the second thins out one instant.
    earlier = _newest_first(conversation).filter(Q(created_at__lt=mark) | Q(pk__lt=before_id), created_at__lte=mark)
    return _page(conversation, earlier, size, mark)


def since(conversation: Conversation, first_id: int) -> Page:
    """From that message to the newest: what a page that is open shows now."""
    mark = conversation.messages.filter(pk=first_id).values_list("created_at", flat=True).first()
    if mark is None:
        return newest(conversation)
    later = _newest_first(conversation).filter(Q(created_at__gt=mark) | Q(pk__gte=first_id), created_at__gte=mark)
    return _page(conversation, later, LIVE_LIMIT)


def _newest_first(conversation: Conversation) -> "QuerySet[ConversationMessage]":
    rows = ConversationMessage.objects.filter(conversation_id=conversation.pk).select_related("author")
    return rows.defer("raw_json").order_by("-created_at", "-id")


def _page(
    conversation: Conversation,
    newest_first: "QuerySet[ConversationMessage]",
    size: int,
    before: dt.datetime | None = None,
) -> Page:
    rows = list(newest_first[: size + 1])
    messages = rows[:size][::-1]
    bubbles = _bubbles(conversation, messages)
    first = messages[0].created_at if messages else None
    written = notes.between(conversation.pk, first, before, conversation.messages.all())
    return Page(
        bubbles=bubbles,
        has_older=len(rows) > size,
        first_id=messages[0].pk if messages else None,
        entries=_in_order(bubbles, [NoteEntry(note) for note in written]),
    )


def _in_order(bubbles: list[Bubble], remarks: list[NoteEntry]) -> list[Bubble | NoteEntry]:
    entries: list[Bubble | NoteEntry] = sorted([*bubbles, *remarks], key=lambda entry: entry.created_at)
    day = None
    for entry in entries:
        if entry.created_at.date() != day:
            day = entry.new_day = entry.created_at.date()
    return entries


def _bubbles(conversation: Conversation, messages: list[ConversationMessage]) -> list[Bubble]:
    quotes, reactions = _quoted(conversation, messages), _reactions(conversation, messages)
    shown_on_target = {message.external_id for message in messages}
    origins, files = extensions.message_info_of(messages), attachments.of(messages)
    bubbles: list[Bubble] = []
    for message in messages:
        if message.kind == "reaction" and message.reply_to in shown_on_target:
            continue  # it stands on the message it is about
        bubble = Bubble(message, sender(conversation, message), note=origins.get(message.pk, ""))
        bubble.quote = quotes.get(message.reply_to) if message.reply_to else None
        bubble.attachments = files.get(message.pk, [])
        bubble.reactions = reactions.get(message.external_id or "", [])
        bubbles.append(bubble)
    return bubbles


def sender(conversation: Conversation, message: ConversationMessage) -> str:
    if message.role == "user":
        return str(conversation)
    if message.author:
        return name_of(message.author)
    return {"app": "From the WhatsApp app", "system": "System", "operator": "A person"}.get(
        message.origin, "Assistant" if message.role == "assistant" else "System"
    )


def _quoted(conversation: Conversation, messages: Sequence[ConversationMessage]) -> dict[str, ConversationMessage]:
    wamids = {message.reply_to for message in messages if message.reply_to}
    if not wamids:
        return {}
    rows = conversation.messages.filter(external_id__in=wamids).only("external_id", "text", "role", "conversation")
    return {row.external_id: row for row in rows if row.external_id}


def _reactions(conversation: Conversation, messages: Sequence[ConversationMessage]) -> dict[str, list[str]]:
    """The newest reaction of each side, by the wamid it is about; a removed one is gone."""
    wamids = [message.external_id for message in messages if message.external_id]
    rows = conversation.messages.filter(kind="reaction", reply_to__in=wamids).order_by("created_at", "id")
    latest: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for reply_to, role, text in rows.values_list("reply_to", "role", "text"):
        latest[reply_to][role] = text.removeprefix("[reaction] ")
    return {
        wamid: [emoji for emoji in by_role.values() if emoji and "removed]" not in emoji]
        for wamid, by_role in latest.items()
    }
