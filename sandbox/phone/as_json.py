"""The phone's contents as JSON, for the browser."""

from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.urls import reverse
from django.utils import timezone

from sandbox.message_templates.rendering import buttons_of as template_buttons
from sandbox.message_templates.rendering import media_of, parts_of
from sandbox.models import Chat, Customer, Media, Message, PhoneNumber
from sandbox.phone.messages import CHANGES

SHOWN = 100
PEOPLE = 300


def chat_json(chat: Chat) -> dict[str, Any]:
    newest = chat.messages.exclude(kind__in=CHANGES).order_by("-pk")[:SHOWN]
    messages = list(reversed(newest))
    files = _files(messages)
    texts = {message.wamid: brief(message) for message in messages}
    typing = chat.typing_until is not None and chat.typing_until > timezone.now()
    return {
        "typing": typing,
        "window_closed": chat.window_is_closed(),
        "messages": [message_json(message, files, texts) for message in messages],
        "trouble": _trouble(chat),
    }


def _trouble(chat: Chat) -> str:
    """The problem of a reaction, edit or deletion that wasn't delivered: it has no bubble to show it."""
    last = chat.messages.filter(kind__in=CHANGES).order_by("-pk").first()
    return last.problem if last is not None and last.state == "refused" else ""


def message_json(message: Message, files: dict[str, Media], texts: dict[str, str]) -> dict[str, Any]:
    file = files.get(_media_id(message))
    header, _, footer = parts_of(message.content) if message.kind == "template" else (None, "", "")
    return {
        "wamid": message.wamid,
        "mine": message.from_customer,
        "kind": message.kind,
        "text": "" if message.deleted_at else text_of(message),
        "header": None if message.deleted_at else header,
        "footer": "" if message.deleted_at else footer,
        "content": {} if message.deleted_at else message.content,
        "buttons": [] if message.deleted_at else buttons_of(message),
        "file": _file_json(file) if file and not message.deleted_at else None,
        "quotes": {"wamid": message.quotes, "text": texts.get(message.quotes, "")} if message.quotes else None,
        "state": message.state,
        "problem": message.problem,
        "customer_reaction": message.customer_reaction,
        "business_reaction": message.business_reaction,
        "edited": message.edited_at is not None,
        "deleted": message.deleted_at is not None,
        "time": message.created_at.isoformat(),
    }


def _media_id(message: Message) -> str:
    """The URL of the message's file or of its template header's file, or ''."""
    content = media_of(message.content)[1] if message.kind == "template" else message.content
    return str(content.get("id") or "")


def _files(messages: list[Message]) -> dict[str, Media]:
    ids = [media_id for media_id in map(_media_id, messages) if media_id]
    return {file.media_id: file for file in Media.objects.filter(media_id__in=ids).defer("data")}


def _file_json(file: Media) -> dict[str, str]:
    url = reverse("sandbox:phone-file", args=[file.media_id])
    return {"url": url, "mime_type": file.mime_type, "filename": file.filename}


def text_of(message: Message) -> str:
    """The text of a bubble."""
    content = message.content
    match message.kind:
        case "text":
            return str(content.get("body", ""))
        case "button":
            return str(content.get("text", ""))
        case "interactive" if message.from_customer:
            reply: dict[str, Any] = content.get(content["type"], {})
            return str(reply.get("title", ""))
        case "interactive":
            return str(content["body"]["text"])
        case "template":
            return parts_of(content)[1]
        case "unsupported":
            return "A message that Meta's API doesn't support, such as a poll"
    return str(content.get("caption", ""))


def buttons_of(message: Message) -> list[dict[str, Any]]:
    """The buttons of a business's message: ID, title, and a description for list rows.

    Template buttons that send nothing have a `url`, `call`, `code` or `flow` instead of an ID.
    """
    if message.from_customer:
        return []
    if message.kind == "template":
        return template_buttons(message.content)
    if message.kind != "interactive":
        return []
    action = message.content["action"]
    rows = [row for section in action.get("sections", []) for row in section["rows"]]
    return [button["reply"] for button in action.get("buttons", [])] + rows


def brief(message: Message) -> str:
    """A one-line preview, for quotes and the list of chats."""
    if message.deleted_at:
        return "Deleted"
    words = text_of(message) or {"image": "Photo", "audio": "Voice note"}.get(message.kind, message.kind.capitalize())
    return " ".join(words.split())[:80]


def people_json() -> dict[str, Any]:
    """The customers, the business numbers, and the chats that have messages, newest first."""
    shown = Message.objects.exclude(kind__in=CHANGES)
    newest = shown.filter(chat=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    chats = (
        Chat.objects.select_related("number")
        .annotate(newest=Subquery(newest))
        .filter(newest__isnull=False)
        .order_by("-newest")[:PEOPLE]
    )
    last = Message.objects.in_bulk([chat.newest for chat in chats])
    waiting = shown.filter(from_customer=False, state="delivered").values("chat").annotate(count=Count("pk"))
    unread = {row["chat"]: row["count"] for row in waiting.order_by()}
    return {
        "numbers": [number_json(number) for number in PhoneNumber.objects.all()],
        "customers": [customer_json(customer) for customer in Customer.objects.order_by("pk")[:PEOPLE]],
        "chats": [_row(chat, last[chat.newest], unread.get(chat.pk, 0)) for chat in chats],
    }


def number_json(number: PhoneNumber) -> dict[str, Any]:
    return {
        "id": number.phone_number_id,
        "name": number.verified_name,
        "display": f"+{number.display_phone_number}",
        "signed_with_own_secret": bool(number.app_secret),
    }


def customer_json(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.pk,
        "name": customer.name,
        "phone": customer.phone,
        "username": customer.username,
        "user_id": customer.user_id,
        "hides_phone": customer.hides_phone,
    }


def _row(chat: Chat, last: Message, unread: int) -> dict[str, Any]:
    return {
        "number": chat.number.phone_number_id,
        "customer": chat.customer_id,
        "last": brief(last),
        "time": last.created_at.isoformat(),
        "unread": unread,
    }
