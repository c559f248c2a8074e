"""One page of a conversation as the desk shows it: messages and notes, oldest first."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform
from django.utils import timezone

from conversations.files import attachments
from conversations.files.attachments import Attachment
from conversations.history.details import ad_text, referral
from conversations.models import Conversation, ConversationMessage, ConversationNote, Status
from tenants.users import display_name

from . import extensions, notes

PAGE_SIZE = 50
MAX_LIVE = 200  # messages in one live update
SIDES = {"user": "in", "assistant": "out", "system": "middle"}
TICKS = {
    Status.QUEUED: ("schedule", "Queued"),
    Status.SENDING: ("schedule", "Sending"),
    Status.SENT: ("check", "Sent"),
    Status.DELIVERED: ("done_all", "Delivered"),
    Status.READ: ("done_all", "Read"),
    Status.FAILED: ("error", "Not sent"),
    Status.UNCERTAIN: ("help", "Unconfirmed"),
}
# Above a message whose content doesn't show what it is.
KINDS = {
    "contacts": "Contact",
    "interactive": "Buttons",
    "button": "Button",
    "template": "Template",
    "order": "Order",
    "edit": "Edit",
    "system": "WhatsApp",
    "unsupported": "Unknown kind",
}
_LABEL = re.compile(r"^\[[a-z ]+\]\s*")
_POINT = re.compile(r"\s*\(?(-?\d{1,3}(?:\.\d{1,20})?), (-?\d{1,3}(?:\.\d{1,20})?)\)?$")


@dataclass(slots=True)
class Bubble:
    """One message with everything that the template shows."""

    message: ConversationMessage
    sender: str
    new_day: dt.date | None = None  # the date to show above it
    quote: ConversationMessage | None = None
    reactions: list[str] = field(default_factory=list)
    info: extensions.Info = extensions.NO_INFO  # how the assistant made it: model, tokens, cost
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def created_at(self) -> dt.datetime:
        return self.message.created_at

    @property
    def at(self) -> dt.datetime:
        """When it was sent. After an outage, that's long before it was stored."""
        return self.message.sent_at or self.message.created_at

    @property
    def side(self) -> str:
        return SIDES[self.message.role]

    @property
    def text(self) -> str:
        """The text without what is shown next to it: a file with its name, or a point on the map."""
        text = self.message.text
        if self.map_url:
            return _POINT.sub("", _LABEL.sub("", text))
        if not self.attachments:
            return text
        text, name = _LABEL.sub("", text), self.attachments[0].filename
        return text.removeprefix(name).removeprefix(":").lstrip() if name else text

    @property
    def kind(self) -> str:
        return KINDS.get(self.message.kind, "")

    @property
    def map_url(self) -> str:
        """Of the place that a location names."""
        point = _POINT.search(self.message.text) if self.message.kind == "location" else None
        if point is None:
            return ""
        latitude, longitude = point.groups()
        return f"https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"

    @property
    def ad(self) -> dict[str, str] | None:
        """The ad from which the customer wrote: its text, and its URL if that can be opened."""
        found = referral(getattr(self.message, "raw_referral", None))
        if found is None:
            return None
        url = found.get("source_url", "")
        return {"text": ad_text(self.message), "url": url if url.startswith(("https://", "http://")) else ""}

    @property
    def tick(self) -> tuple[str, str] | None:
        return TICKS[Status(self.message.status)] if self.message.status else None

    @property
    def is_delayed(self) -> bool:
        """Queued after an attempt that failed for the reason in `error_detail`."""
        return self.message.status == Status.QUEUED and bool(self.message.error_detail)


@dataclass(slots=True)
class NoteEntry:
    note: ConversationNote
    new_day: dt.date | None = None

    @property
    def created_at(self) -> dt.datetime:
        return self.note.created_at

    @property
    def at(self) -> dt.datetime:
        return self.note.created_at


@dataclass(frozen=True, slots=True)
class Page:
    bubbles: list[Bubble]
    has_older: bool
    first_id: int | None
    entries: list[Bubble | NoteEntry] = field(default_factory=list)  # bubbles and notes


def newest(conversation: Conversation, size: int = PAGE_SIZE) -> Page:
    return _page(conversation, _newest_first(conversation), size)


def older(conversation: Conversation, before_id: int, size: int = PAGE_SIZE) -> Page:
    """The page before that message; empty if the conversation has no such message."""
    mark = conversation.messages.filter(pk=before_id).values_list("created_at", flat=True).first()
    if mark is None:
        return Page([], False, None)
    # Two conditions instead of one OR: the first uses the index, the second filters messages of the same instant.
    earlier = _newest_first(conversation).filter(Q(created_at__lt=mark) | Q(pk__lt=before_id), created_at__lte=mark)
    return _page(conversation, earlier, size, mark)


def since(conversation: Conversation, first_id: int) -> Page:
    """From that message to the newest, to update an open page."""
    mark = conversation.messages.filter(pk=first_id).values_list("created_at", flat=True).first()
    if mark is None:
        return newest(conversation)
    later = _newest_first(conversation).filter(Q(created_at__gt=mark) | Q(pk__gte=first_id), created_at__gte=mark)
    return _page(conversation, later, MAX_LIVE)


def _newest_first(conversation: Conversation) -> "QuerySet[ConversationMessage]":
    rows = ConversationMessage.objects.filter(conversation_id=conversation.pk).select_related("author")
    rows = rows.defer("raw_json").annotate(raw_referral=KeyTransform("referral", "raw_json"))
    return rows.order_by("-created_at", "-id")


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
        entries=_merge(bubbles, [NoteEntry(note) for note in written]),
    )


def _merge(bubbles: list[Bubble], note_entries: list[NoteEntry]) -> list[Bubble | NoteEntry]:
    entries: list[Bubble | NoteEntry] = sorted([*bubbles, *note_entries], key=lambda entry: entry.created_at)
    day = None
    for entry in entries:
        if (date := timezone.localtime(entry.at).date()) != day:
            day = entry.new_day = date
    return entries


def _bubbles(conversation: Conversation, messages: list[ConversationMessage]) -> list[Bubble]:
    quotes, reactions = _quoted(conversation, messages), _reactions(conversation, messages)
    wamids = {message.external_id for message in messages}
    info, files = extensions.message_info_for(messages), attachments.of(messages)
    bubbles: list[Bubble] = []
    for message in messages:
        if message.kind == "reaction" and message.reply_to in wamids:
            continue  # shown on the message it reacts to
        bubble = Bubble(message, sender(conversation, message), info=info.get(message.pk, extensions.NO_INFO))
        bubble.quote = quotes.get(message.reply_to) if message.reply_to else None
        bubble.attachments = files.get(message.pk, [])
        bubble.reactions = reactions.get(message.external_id or "", [])
        bubbles.append(bubble)
    return bubbles


def sender(conversation: Conversation, message: ConversationMessage) -> str:
    if message.role == "user":
        return str(conversation)
    if message.author:
        return display_name(message.author)
    return {
        "app": "WhatsApp app",
        "automatic": "WhatsApp app (automatic)",
        "system": "System",
        "operator": "Former member",
    }.get(message.origin, "Assistant" if message.role == "assistant" else "System")


def _quoted(conversation: Conversation, messages: Sequence[ConversationMessage]) -> dict[str, ConversationMessage]:
    wamids = {message.reply_to for message in messages if message.reply_to}
    if not wamids:
        return {}
    rows = conversation.messages.filter(external_id__in=wamids).only("external_id", "text", "role", "conversation")
    return {row.external_id: row for row in rows if row.external_id}


def _reactions(conversation: Conversation, messages: Sequence[ConversationMessage]) -> dict[str, list[str]]:
    """The latest reaction from each side, by the wamid of the message, without removed ones."""
    wamids = [message.external_id for message in messages if message.external_id]
    rows = conversation.messages.filter(kind="reaction", reply_to__in=wamids).order_by("created_at", "id")
    latest: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for reply_to, role, text in rows.values_list("reply_to", "role", "text"):
        latest[reply_to][role] = text.removeprefix("[reaction] ")
    return {
        wamid: [emoji for emoji in by_role.values() if emoji and "removed]" not in emoji]
        for wamid, by_role in latest.items()
    }
