"""Turns the chat history into the model's messages. Pure: no database, no clock, no files."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assistant.files.images import STORED
from assistant.limits import cut
from conversations.files.attachments import Attachment
from conversations.history.details import ad_text
from conversations.models import ConversationMessage

from .text import untagged

# These rows describe changes to other rows, or events of the channel. They aren't messages themselves.
NOT_SPOKEN = {"edit", "revoke", "system", "note", "request_welcome"}
SILENT = NOT_SPOKEN | {"reaction"}  # these don't need an answer
QUOTED = 120  # of a quoted message, in characters
RECENT = 3  # how many images are shown, and how many documents' texts: the most recent ones
UNSEEN = "(The image itself isn't included.)"
UNHEARD = "(Its content isn't known.)"
REMOVED = "[reaction removed]"
OWN = {"text", "reaction", "image", "video", "sticker", "audio"}  # what their texts say is the customer's own
TAPS = {"button", "interactive"}
LONGEST_TITLE = 25  # of a button or list item, as WhatsApp allows
FORM = "[form]"  # the customer's answers to a form of the business

Files = Mapping[int, Sequence[Attachment]]
NO_FILES: Files = {}


@dataclass(frozen=True, slots=True)
class Shown:
    """One message of the history, as the model is shown it. images: their placeholder URLs, by attachment ID.

    own: what its writer typed, said or tapped, without what came from elsewhere: quotes, files, names of files.
    """

    id: int
    role: str
    text: str
    images: Mapping[int, str]
    own: str

    @property
    def has_data(self) -> bool:
        return self.text != self.own or bool(self.images)

    def without_data(self) -> "Shown":
        return Shown(self.id, self.role, self.own, {}, self.own)

    def as_message(self, without: Collection[int] = ()) -> dict[str, object]:
        """`{"role", "content"}`. without: the IDs of attachments to leave out."""
        urls = [url for pk, url in self.images.items() if pk not in without]
        text = self.text if len(urls) == len(self.images) else f"{self.text}\n{UNSEEN}"
        if not urls:
            return {"role": self.role, "content": text}
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"role": self.role, "content": [{"type": "text", "text": text}, *images]}


def build(
    messages: Sequence[ConversationMessage], to_answer: int = 0, files: Files = NO_FILES, sees: bool = False
) -> list[dict[str, object]]:
    """`[{"role", "content"}, …]`, oldest first, without the system prompt: what `show` returns."""
    return [shown.as_message() for shown in show(messages, to_answer, files, sees)]


def show(
    messages: Sequence[ConversationMessage], to_answer: int = 0, files: Files = NO_FILES, sees: bool = False
) -> list[Shown]:
    """The messages that the model is shown, `in_order`.

    `files`: by message ID. If the model `sees` images, the most recent ones become content parts that name them
    (`images.with_data` embeds the data). What the model's service has refused before is left out.
    """
    by_wamid = {message.external_id: message for message in messages if message.external_id}
    shown: list[Shown] = []
    previous = None
    ordered = in_order(messages, to_answer)
    fresh = _recent(ordered, files)
    reactions = {(message.role, message.reply_to): message for message in messages if message.kind == "reaction"}
    for message in ordered:
        if message.kind in NOT_SPOKEN or not message.text or message.refused:
            continue
        quoted = by_wamid.get(message.reply_to) if message.reply_to else None
        if message.kind == "reaction":
            # Only the current one, and only to a message that is shown, too.
            is_current = reactions[message.role, message.reply_to] is message and message.text != REMOVED
            if not is_current or quoted is None:
                continue
        about = quoted if quoted is not previous else None
        shown.append(_shown(message, about, files, fresh, sees))
        previous = message
    return shown


def in_order(messages: Sequence[ConversationMessage], to_answer: int = 0) -> list[ConversationMessage]:
    """Sort messages, which are given in order of arrival, into the order in which they were sent.

    The customer's messages from the ID `to_answer` on come last: a message that arrived while the previous reply was
    being sent is older than that reply, and would look answered. Messages of the customer with nothing of ours between
    them are put into the order of the channel's times, because webhooks may overtake each other.
    """
    ordered: list[ConversationMessage] = []
    is_open = [bool(to_answer) and message.role == "user" and message.pk >= to_answer for message in messages]
    by_arrival = sorted(zip(is_open, messages, strict=True), key=lambda pair: pair[0])
    for (_, role), run in itertools.groupby(by_arrival, key=lambda pair: (pair[0], pair[1].role)):
        said = [message for _, message in run]
        if role == "user" and all(message.sent_at for message in said):
            said.sort(key=lambda message: (message.sent_at, message.pk))
        ordered += said
    return ordered


def _recent(messages: Sequence[ConversationMessage], files: Files) -> set[int]:
    """The IDs of the most recent images and documents."""
    recent: set[int] = set()
    for kind in ("image", "document"):
        of_kind = [file.pk for message in messages for file in files.get(message.pk, ()) if file.kind == kind]
        recent.update(of_kind[-RECENT:])
    return recent


def _shown(
    message: ConversationMessage, quoted: ConversationMessage | None, files: Files, fresh: set[int], sees: bool
) -> Shown:
    """The text, with the content of its files, and with the message it quotes unless that comes right before it."""
    own = files.get(message.pk, ())
    # Only a customer's message may contain images: models accept them only from the user.
    images = {
        file.pk: f"{STORED}{file.preview.name}"
        for file in own
        if sees and file.pk in fresh and file.kind == "image" and file.preview and message.role == "user"
        if not file.refused
    }
    notes = []
    if message.kind == "image" and message.role == "user" and not images:
        notes.append(UNSEEN)
    if message.kind == "audio" and message.role == "user" and not any(file.transcript for file in own):
        notes.append(UNHEARD)
    heard = [_said(file, fresh) for file in own if file.kind == "audio"]
    lines = [cut(message.text), *(_said(file, fresh) for file in own), *notes]
    typed = [own_words(message), *heard, *notes]
    if quoted is not None and quoted.text and not quoted.refused:
        lines.insert(0, f"(About “{quoted.text[:QUOTED]}”)")
        typed.insert(0, f"(About “{own_words(quoted)[:QUOTED]}”)")
    if ad := ad_text(message):
        lines.insert(0, f"(Written from the ad “{ad}”)")
    text, said = (untagged("\n".join(filter(None, each))) for each in (lines, typed))
    return Shown(message.pk, message.role, text, images, said)


def own_words(message: ConversationMessage) -> str:
    """The text, unless it's about what the customer only passed on: a file's name, a contact, a place."""
    is_tap = message.kind in TAPS and (len(message.text) <= LONGEST_TITLE or message.text.startswith(FORM))
    return cut(message.text) if message.role != "user" or message.kind in OWN or is_tap else f"[{message.kind}]"


def _said(file: Attachment, fresh: set[int]) -> str:
    if file.kind == "audio":
        return cut(file.transcript)
    if file.kind == "document" and file.transcript:
        return f"(It says:)\n{cut(file.transcript)}" if file.pk in fresh else "(Its text was included earlier.)"
    return ""
