"""Turns the chat history into the model's messages. Pure: no database, no clock, no files."""

from collections.abc import Mapping, Sequence

from assistant.files.images import STORED
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage

# These rows describe changes to other rows, or events of the channel. They aren't messages themselves.
NOT_SPOKEN = {"edit", "revoke", "system", "note", "request_welcome"}
SILENT = NOT_SPOKEN | {"reaction"}  # these don't need an answer
QUOTED = 120  # of a quoted message, in characters
RECENT = 3  # how many images are shown, and how many documents' texts: the most recent ones
UNSEEN = "(The image itself isn't included.)"
UNHEARD = "(Its content isn't known.)"

Files = Mapping[int, Sequence[Attachment]]
NO_FILES: Files = {}


def build(
    messages: Sequence[ConversationMessage], to_answer: int = 0, files: Files = NO_FILES, sees: bool = False
) -> list[dict[str, object]]:
    """`[{"role", "content"}, …]`, oldest first, without the system prompt.

    The customer's messages from the ID `to_answer` on come last: a message that arrived while the previous reply was
    being sent is older than that reply, and would look answered. `files`: by message ID. If the model `sees` images,
    the most recent ones become content parts that name them (`images.with_data` embeds the data).
    """
    by_wamid = {message.external_id: message for message in messages if message.external_id}
    shown: list[dict[str, object]] = []
    previous = None
    ordered = sorted(messages, key=lambda message: _is_open(message, to_answer))
    fresh = _recent(ordered, files)
    for message in ordered:
        if message.kind in NOT_SPOKEN or not message.text:
            continue
        quoted = by_wamid.get(message.reply_to) if message.reply_to else None
        about = quoted if quoted is not previous else None
        shown.append({"role": message.role, "content": _content(message, about, files, fresh, sees)})
        previous = message
    return shown


def _is_open(message: ConversationMessage, to_answer: int) -> bool:
    return bool(to_answer) and message.role == "user" and message.pk >= to_answer


def _recent(messages: Sequence[ConversationMessage], files: Files) -> set[int]:
    """The IDs of the most recent images and documents."""
    recent: set[int] = set()
    for kind in ("image", "document"):
        of_kind = [file.pk for message in messages for file in files.get(message.pk, ()) if file.kind == kind]
        recent.update(of_kind[-RECENT:])
    return recent


def _content(
    message: ConversationMessage, quoted: ConversationMessage | None, files: Files, fresh: set[int], sees: bool
) -> object:
    """The text, with the content of its files, and with the message it quotes unless that comes right before it."""
    own = files.get(message.pk, ())
    pictures = [file for file in own if sees and file.pk in fresh and file.kind == "image" and file.preview]
    lines = [message.text, *(_said(file, fresh) for file in own)]
    if message.kind == "image" and message.role == "user" and not pictures:
        lines.append(UNSEEN)
    if message.kind == "audio" and message.role == "user" and not any(file.transcript for file in own):
        lines.append(UNHEARD)
    if quoted is not None and quoted.text:
        lines.insert(0, f"(About “{quoted.text[:QUOTED]}”)")
    text = "\n".join(filter(None, lines))
    # Only a customer's message may contain images: models accept them only from the user.
    if not pictures or message.role != "user":
        return text
    urls = [f"{STORED}{file.preview.name}" for file in pictures]
    return [{"type": "text", "text": text}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]


def _said(file: Attachment, fresh: set[int]) -> str:
    if file.kind == "audio":
        return file.transcript
    if file.kind == "document" and file.transcript:
        return f"(It says:)\n{file.transcript}" if file.pk in fresh else "(Its text was included earlier.)"
    return ""
