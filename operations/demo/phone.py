"""Shows the demo's conversations on the sandbox phone, too, so that you can keep writing as its customers."""

import base64
from typing import Any

from django.apps import apps

from conversations.models import Attachment

from . import business, files
from .conversations import Rows
from .stories import Line


def fill(loaded: list[Rows], name: str) -> None:
    """The sandbox is a separate program, and imports nothing from here: its tables are filled as it would fill them."""
    number, _ = _model("PhoneNumber").objects.update_or_create(
        phone_number_id=business.PHONE_NUMBER_ID,
        defaults={
            "display_phone_number": business.PHONE.lstrip("+"),
            "verified_name": name,
            "waba_id": business.WABA_ID,
        },
    )
    # The customer that the phone shows first: it's you.
    _model("Customer").objects.get_or_create(phone="15551234567", defaults={"name": "Ada Okafor"})
    messages = []
    for rows in loaded:
        customer, _ = _model("Customer").objects.get_or_create(
            phone=rows.story.phone, defaults={"name": rows.story.name}
        )
        chat, _ = _model("Chat").objects.get_or_create(
            number=number, customer=customer, defaults={"last_inbound_at": rows.conversation.last_inbound_at}
        )
        attachments = {attachment.message_id: attachment for attachment in rows.attachments}
        for line, message in rows.messages:
            if line.kind in ("reaction", "uncertain"):
                continue
            kind, content = _content(line, attachments.get(message.pk), number)
            messages.append(
                _model("Message")(
                    chat=chat,
                    wamid=message.external_id,
                    from_customer=line.is_customers,
                    kind=kind,
                    content=content,
                    state="read" if line.is_customers else message.status,
                    created_at=message.created_at,
                )
            )
    _model("Message").objects.bulk_create(sorted(messages, key=lambda each: each.created_at), ignore_conflicts=True)


def _content(line: Line, attachment: Attachment | None, number: Any) -> tuple[str, dict[str, Any]]:
    """The kind of a message and its content in Meta's format."""
    if attachment is not None:
        name, caption = line.parts
        media = _model("Media").objects.create(
            number=number,
            mime_type=attachment.mime_type,
            filename=name,
            sha256=attachment.sha256,
            data=files.content_of(name),
        )
        digest = base64.b64encode(bytes.fromhex(attachment.sha256)).decode()
        content = {"id": media.media_id, "mime_type": attachment.mime_type, "sha256": digest, "caption": caption}
        return attachment.kind, content | ({"filename": name} if attachment.kind == "document" else {})
    if line.kind == "location":
        name, address, point = line.parts
        latitude, longitude = (float(part) for part in point.split(","))
        return "location", {"latitude": latitude, "longitude": longitude, "name": name, "address": address}
    texts = {"buttons": line.parts[0], "template": line.parts[-1]}
    return "text", {"body": texts.get(line.kind, line.text)}


def _model(name: str) -> Any:
    return apps.get_model("sandbox", name)
