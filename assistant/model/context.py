"""From the history to what the model is shown. Pure: no database, no clock, no files."""

from collections.abc import Mapping, Sequence

from assistant.files.images import STORED
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage

# These rows tell of changes to other rows, or of the channel: they say nothing themselves.
NOT_SPOKEN = {"edit", "revoke", "system", "note", "request_welcome"}
SILENT = NOT_SPOKEN | {"reaction"}  # nobody waits for an answer to these
QUOTED = 120  # characters of a quoted message
RECENT = 3  # so many pictures are shown, and the text of so many documents: the last ones
UNSEEN = "(The picture itself cannot be seen here.)"
UNHEARD = "(What is said in it is not known.)"

Files = Mapping[int, Sequence[Attachment]]
NO_FILES: Files = {}


def build(
    messages: Sequence[ConversationMessage], to_answer: int = 0, files: Files = NO_FILES, sees: bool = False
) -> list[dict[str, object]]:
    """`[{"role", "content"}, …]`, oldest first, as the report has it; without the system prompt.

    The customer's messages from the id `to_answer` on stand last: one that came while the former reply was on its
    way is older than that reply, and would look answered by it. `files`: by message id. A model that `sees` gets the
    last pictures as parts that name them (`pictures.with_data` puts the pictures there).
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
    """The ids of the last pictures and of the last documents."""
    recent: set[int] = set()
    for kind in ("image", "document"):
        of_kind = [file.pk for message in messages for file in files.get(message.pk, ()) if file.kind == kind]
        recent.update(of_kind[-RECENT:])
    return recent


def _content(
    message: ConversationMessage, quoted: ConversationMessage | None, files: Files, fresh: set[int], sees: bool
) -> object:
    """The text, with what is in its files; with what it answers, unless that stands right before it."""
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
    # Only a customer's message may hold pictures: models take them from the user alone.
    if not pictures or message.role != "user":
        return text
    urls = [f"{STORED}{file.preview.name}" for file in pictures]
    return [{"type": "text", "text": text}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]


def _said(file: Attachment, fresh: set[int]) -> str:
    if file.kind == "audio":
        return file.transcript
    if file.kind == "document" and file.transcript:
        return f"(It says:)\n{file.transcript}" if file.pk in fresh else "(Its text was shown earlier.)"
    return ""
