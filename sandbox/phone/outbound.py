"""What an accepted request to the Graph API changes on the phone."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from sandbox.graph.errors import GraphRefusal
from sandbox.graph.requests import ReadRequest, Recipient, SendRequest
from sandbox.message_templates.checks import check
from sandbox.message_templates.rendering import media_of
from sandbox.models import Chat, Customer, Media, Message, PhoneNumber

MEDIA_KINDS = ("image", "video", "audio", "document", "sticker")
TYPING = timedelta(seconds=25)
LOST = "Addressed to a user ID in `to`, which Meta accepts but never delivers. Use `recipient`."


def accept(number: PhoneNumber, wanted: SendRequest) -> Message:
    """Store a business's message. Raises GraphRefusal if Meta wouldn't accept it now."""
    chat = Chat.between(number, _customer(wanted.recipient))
    if wanted.recipient.phone == number.display_phone_number:
        raise GraphRefusal(131021)
    if wanted.kind == "template":
        check(wanted.content)
        _check_media_exists(*media_of(wanted.content))
    elif chat.window_is_closed():
        raise GraphRefusal(131047)
    if wanted.kind in MEDIA_KINDS:
        _check_media_exists(wanted.kind, wanted.content)
    if wanted.kind == "reaction":
        _react(chat, wanted.content)
    Chat.objects.filter(pk=chat.pk).update(typing_until=None)
    lost = wanted.recipient.lost
    return Message.objects.create(
        chat=chat,
        from_customer=False,
        kind=wanted.kind,
        content=wanted.content,
        quotes=wanted.quotes,
        opaque=wanted.opaque,
        state="lost" if lost else "accepted",
        problem=LOST if lost else "",
    )


def _check_media_exists(kind: str, content: dict[str, Any]) -> None:
    media_id = content.get("id")
    if media_id and not Media.objects.filter(media_id=str(media_id)).exists():
        raise GraphRefusal(
            100,
            f"(#100) Param {kind}['id'] is not a valid whatsapp business account media attachment ID",
        )


def _react(chat: Chat, content: dict[str, Any]) -> None:
    """An empty emoji removes the reaction."""
    target = Message.objects.filter(chat=chat, wamid=content["message_id"])
    target.update(business_reaction=content["emoji"][:32])


def _customer(recipient: Recipient) -> Customer:
    if recipient.phone:
        return Customer.of_phone(recipient.phone)
    return Customer.of_user_id(recipient.user_id)


def mark_read(number: PhoneNumber, wanted: ReadRequest) -> None:
    """Marking a message as read includes all earlier ones. Unknown IDs are accepted."""
    message = Message.objects.filter(wamid=wanted.message_id, chat__number=number, from_customer=True).first()
    if message is None:
        return
    Message.objects.filter(
        chat_id=message.chat_id, from_customer=True, pk__lte=message.pk, state__in=["posting", "delivered"]
    ).update(state="read")
    if wanted.typing:
        Chat.objects.filter(pk=message.chat_id).update(typing_until=timezone.now() + TYPING)
