"""What a customer does on the phone, as the message Meta would deliver."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from sandbox.message_templates.rendering import payload_of
from sandbox.models import Chat, Media, Message
from sandbox.phone.envelopes import context_of

Given = dict[str, Any]
# These change another message instead of adding a bubble.
CHANGES = ("reaction", "edit", "revoke")


class BadGesture(ValueError):
    """The phone can't do this. The text says why."""


def write(chat: Chat, given: Given) -> Message:
    """Store what the customer did. `given["kind"]` is a key of GESTURES. Raises BadGesture."""
    gesture = GESTURES.get(str(given.get("kind")))
    if gesture is None:
        raise BadGesture(f"`kind` must be one of {', '.join(GESTURES)}, not {given.get('kind')!r}.")
    kind, content, quotes = gesture(chat, given)
    return Message.objects.create(
        chat=chat,
        from_customer=True,
        kind=kind,
        content=content,
        quotes=quotes,
        state="posting",
        created_at=_written_at(given),
    )


def _written_at(given: Given) -> datetime:
    """`hours_ago` backdates a message, to try the closed 24-hour window."""
    hours = given.get("hours_ago", 0)
    if not isinstance(hours, int | float) or not 0 <= hours <= 24 * 30:
        raise BadGesture("`hours_ago` must be a number between 0 and 720.")
    return timezone.now() - timedelta(hours=hours)


Made = tuple[str, dict[str, Any], str]


def _text_of(given: Given, key: str = "text", limit: int = 65_536) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadGesture(f"`{key}` is empty.")
    return value[:limit]


def _message(chat: Chat, given: Given) -> Message:
    found = Message.objects.filter(chat=chat, wamid=str(given.get("wamid"))).first()
    if found is None:
        raise BadGesture("This chat has no such message.")
    return found


def _own(chat: Chat, given: Given) -> Message:
    found = _message(chat, given)
    if not found.from_customer:
        raise BadGesture("Customers can only change their own messages.")
    return found


def _quotes(given: Given) -> str:
    return str(given.get("quotes") or "")


def _text(chat: Chat, given: Given) -> Made:
    return "text", {"body": _text_of(given)}, _quotes(given)


def _media(chat: Chat, given: Given) -> Made:
    file = Media.objects.filter(media_id=str(given.get("media_id"))).defer("data").first()
    if file is None:
        raise BadGesture("Upload the file first, then send its `media_id`.")
    kind = str(given["kind"])
    content: dict[str, Any] = {"mime_type": file.mime_type, "sha256": _base64(file.sha256), "id": file.media_id}
    if kind == "audio":
        content["voice"] = bool(given.get("voice"))
    elif given.get("caption"):
        content["caption"] = _text_of(given, "caption", 1024)
    if kind == "document":
        content["filename"] = file.filename or "file"
    return kind, content, _quotes(given)


def _base64(sha256: str) -> str:
    """Webhooks have the checksum in base64, the media endpoint in hexadecimal."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _location(chat: Chat, given: Given) -> Made:
    try:
        content: dict[str, Any] = {key: float(given[key]) for key in ("latitude", "longitude")}
    except (KeyError, TypeError, ValueError):
        raise BadGesture("A location needs `latitude` and `longitude`.") from None
    content |= {key: str(given[key]) for key in ("name", "address") if given.get(key)}
    return "location", content, _quotes(given)


def _contacts(chat: Chat, given: Given) -> Made:
    name, phone = _text_of(given, "name", 200), _text_of(given, "phone", 40)
    digits = "".join(c for c in phone if c.isdigit())
    card = {
        "name": {"formatted_name": name, "first_name": name.split()[0]},
        "phones": [{"phone": phone, "wa_id": digits, "type": "CELL"}],
    }
    return "contacts", {"contacts": [card]}, _quotes(given)


def _tap(chat: Chat, given: Given) -> Made:
    """Tap the button or row `id` of the business's message `wamid`."""
    asked = _message(chat, given)
    chosen = str(given.get("id"))
    if asked.kind == "template":
        return _tap_template(asked, chosen)
    action = asked.content.get("action", {})
    for button in action.get("buttons", []):
        if button["reply"]["id"] == chosen:
            reply = {"id": chosen, "title": button["reply"]["title"]}
            return "interactive", {"type": "button_reply", "button_reply": reply}, asked.wamid
    for row in (row for section in action.get("sections", []) for row in section["rows"]):
        if row["id"] == chosen:
            reply = {key: row[key] for key in ("id", "title", "description") if row.get(key)}
            return "interactive", {"type": "list_reply", "list_reply": reply}, asked.wamid
    raise BadGesture("This message has no such button.")


def _tap_template(asked: Message, chosen: str) -> Made:
    payload = payload_of(asked.content, chosen)
    if payload is None:
        raise BadGesture("This template has no such quick reply.")
    return "button", {"payload": payload, "text": chosen}, asked.wamid


def _reaction(chat: Chat, given: Given) -> Made:
    target = _message(chat, given)
    emoji = str(given.get("emoji") or "")[:32]
    Message.objects.filter(pk=target.pk).update(customer_reaction=emoji)
    return "reaction", {"message_id": target.wamid, "emoji": emoji}, ""


def _edit(chat: Chat, given: Given) -> Made:
    target = _own(chat, given)
    text = _text_of(given)
    if target.kind == "text":
        changed: dict[str, Any] = {"body": text}
    elif target.kind in ("image", "video", "document"):
        changed = target.content | {"caption": text}
    else:
        raise BadGesture("Only texts and captions can be edited.")
    Message.objects.filter(pk=target.pk).update(content=changed, edited_at=timezone.now())
    message = {"type": target.kind, target.kind: changed}
    return "edit", {"original_message_id": target.wamid, "message": message}, ""


def _revoke(chat: Chat, given: Given) -> Made:
    target = _own(chat, given)
    Message.objects.filter(pk=target.pk).update(deleted_at=timezone.now())
    return "revoke", {"original_message_id": target.wamid}, ""


def _unsupported(chat: Chat, given: Given) -> Made:
    return "unsupported", {"type": "poll_creation"}, ""


GESTURES: dict[str, Callable[[Chat, Given], Made]] = {
    "text": _text,
    **dict.fromkeys(("image", "video", "audio", "document", "sticker"), _media),
    "location": _location,
    "contacts": _contacts,
    "tap": _tap,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "unsupported": _unsupported,
}


def extras(message: Message) -> dict[str, Any]:
    """What Meta adds to the content: the quoted message, or why there's no content."""
    if message.kind == "unsupported":
        details = {"details": "Message type is currently not supported."}
        title = "Message type unknown"
        return {"errors": [{"code": 131051, "title": title, "message": title, "error_data": details}]}
    if not message.quotes:
        return {}
    quoted = Message.objects.filter(chat=message.chat, wamid=message.quotes).first()
    return {"context": context_of(message, quoted)}
