"""Builds webhook bodies the way Meta does.

    delivery(change(messages=[text_message("Hello")]))

Every part accepts keyword arguments that are inserted as they are, so that a test can also build invalid bodies.
"""

import itertools
import json
import time
from typing import Any

from whatsapp.webhook.signature import sign

Json = dict[str, Any]

PHONE_NUMBER_ID = "202020202020"
BUSINESS = "15550100200"
CUSTOMER = "79001234567"
USER_ID = "RU.1000200030004000"
SENT_AT = int(time.time()) - 60  # a minute ago: within the 24-hour window

_serial = itertools.count(1)


def new_wamid() -> str:
    return f"wamid.test{next(_serial):06}"


def delivery(*changes: Json, entry_id: str = "303030303030") -> Json:
    """One webhook body with one entry."""
    return {"object": "whatsapp_business_account", "entry": [{"id": entry_id, "changes": list(changes)}]}


def change(
    *,
    messages: list[Any] | None = None,
    statuses: list[Any] | None = None,
    message_echoes: list[Any] | None = None,
    contacts: list[Any] | None = None,
    phone_number_id: str = PHONE_NUMBER_ID,
    field: str | None = None,
    **value: Any,
) -> Json:
    """One change. With echoes it's ``smb_message_echoes``, unless a field is given."""
    given = {
        "contacts": contacts,
        "messages": messages,
        "statuses": statuses,
        "message_echoes": message_echoes,
    }
    metadata = {"display_phone_number": BUSINESS, "phone_number_id": phone_number_id}
    parts = {key: part for key, part in given.items() if part is not None}
    default = "messages" if message_echoes is None else "smb_message_echoes"
    return {
        "field": field or default,
        "value": {"messaging_product": "whatsapp", "metadata": metadata, **parts, **value},
    }


def contact(name: str = "Ann Lee", wa_id: str | None = CUSTOMER, user_id: str | None = None, **more: Any) -> Json:
    ids = {key: value for key, value in (("wa_id", wa_id), ("user_id", user_id)) if value is not None}
    return {"profile": {"name": name}, **ids, **more}


def message(kind: str, content: Any = None, *, sender: str | None = CUSTOMER, **more: Any) -> Json:
    """A message of any kind; ``content`` goes under the kind's own key."""
    named = {} if sender is None else {"from": sender}
    inside = {} if content is None else {kind: content}
    return {**named, "id": new_wamid(), "timestamp": str(SENT_AT), "type": kind, **inside, **more}


def text_message(body: str = "Hello", *, sender: str | None = CUSTOMER, **more: Any) -> Json:
    return message("text", {"body": body}, sender=sender, **more)


def echo(kind: str = "text", content: Any = None, *, to: str | None = CUSTOMER, **more: Any) -> Json:
    """A message that the business sent from the WhatsApp app."""
    inside = {"body": "Hello, this is Bo."} if kind == "text" and content is None else content
    recipient = {} if to is None else {"to": to}
    return message(kind, inside, sender=BUSINESS, **recipient, **more)


def status(word: str = "delivered", *, wamid: str | None = None, message_id: Any = None, **more: Any) -> Json:
    """The status of a message we sent; ``message_id`` is our own ID."""
    tracker = {} if message_id is None else {"biz_opaque_callback_data": str(message_id)}
    return {
        "id": wamid or new_wamid(),
        "status": word,
        "timestamp": str(SENT_AT),
        "recipient_id": CUSTOMER,
        **tracker,
        **more,
    }


def error(code: int, title: str, details: str = "") -> Json:
    return {"code": code, "title": title, "message": title, "error_data": {"details": details}}


def inbound(*messages: Json, **kwargs: Any) -> Json:
    """The usual delivery: one change with these messages, or with one text."""
    kwargs.setdefault("contacts", [contact()])
    return delivery(change(messages=list(messages or [text_message()]), **kwargs))


def signed(data: object, secret: str) -> tuple[bytes, str]:
    """The raw body and the X-Hub-Signature-256 header that go with it."""
    body = json.dumps(data).encode()
    return body, sign(body, secret)


_MEDIA = {"id": "4040404040", "mime_type": "image/jpeg", "sha256": "c2hhMjU2"}

# One message of each kind: (kind, content, readable text).
EXAMPLES: list[tuple[str, Any, str]] = [
    ("text", {"body": "Do you deliver?"}, "Do you deliver?"),
    ("image", {**_MEDIA, "caption": "My receipt"}, "[image] My receipt"),
    ("image", _MEDIA, "[image]"),
    ("video", {**_MEDIA, "caption": "It leaks"}, "[video] It leaks"),
    ("sticker", {**_MEDIA, "animated": True}, "[sticker]"),
    ("audio", {**_MEDIA, "voice": True}, "[voice note]"),
    ("audio", {**_MEDIA, "voice": False}, "[audio]"),
    ("document", {**_MEDIA, "filename": "report.pdf", "caption": "May"}, "[document] report.pdf: May"),
    ("document", {**_MEDIA, "filename": "report.pdf"}, "[document] report.pdf"),
    ("document", {**_MEDIA, "caption": "May"}, "[document] May"),
    ("document", _MEDIA, "[document]"),
    (
        "location",
        {"latitude": 52.52, "longitude": 13.4, "name": "Old Mill", "address": "3 River Road"},
        "[location] Old Mill, 3 River Road (52.52, 13.4)",
    ),
    ("location", {"latitude": -0.5, "longitude": 0}, "[location] (-0.5, 0)"),
    (
        "contacts",
        [
            {
                "name": {"formatted_name": "Cy Park"},
                "org": {"company": "Park & Co"},
                "phones": [{"phone": "+1 555 0101"}, {"wa_id": "15550102"}],
                "emails": [{"email": "cy@example.org"}],
                "urls": [{"url": "https://example.org"}],
                "addresses": [{"street": "1 Main St", "city": "Springfield", "zip": "12345"}],
            },
            {"name": {"first_name": "Di", "last_name": "Roy"}},
        ],
        "[contact] Cy Park, Park & Co, +1 555 0101, 15550102, cy@example.org, https://example.org, "
        "1 Main St 12345 Springfield\n[contact] Di Roy",
    ),
    ("button", {"text": "Yes, please", "payload": "YES"}, "Yes, please"),
    ("button", {"payload": "YES"}, "YES"),
    ("interactive", {"type": "button_reply", "button_reply": {"id": "1", "title": "Tomorrow"}}, "Tomorrow"),
    (
        "interactive",
        {"type": "list_reply", "list_reply": {"id": "L", "title": "Large", "description": "for three"}},
        "Large (for three)",
    ),
    (
        "interactive",
        {
            "type": "nfm_reply",
            "nfm_reply": {
                "name": "flow",
                "body": "Sent",
                "response_json": json.dumps(
                    {
                        "flow_token": "secret",
                        "screen_0_full_name_1": "Ann Lee",
                        "guests": 4,
                        "outside": True,
                        "wishes": ["cake", "music"],
                        "note": None,
                    }
                ),
            },
        },
        "[form] full name: Ann Lee, guests: 4, outside: yes, wishes: cake + music, note: -",
    ),
    (
        "interactive",
        {
            "type": "nfm_reply",
            "nfm_reply": {
                "name": "address_message",
                "response_json": json.dumps({"values": {"city": "Pune", "in_pin_code": "411001"}}),
            },
        },
        "[form] city: Pune, in pin code: 411001",
    ),
    (
        "interactive",
        {"type": "nfm_reply", "nfm_reply": {"response_json": "{cut off", "body": "Sent"}},
        "[form] Sent",
    ),
    (
        "interactive",
        {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
        "[call permission accepted]",
    ),
    (
        "interactive",
        {"type": "call_permission_reply", "call_permission_reply": {"response": "reject"}},
        "[call permission declined]",
    ),
    (
        "interactive",
        {"type": "product", "product": {"product_retailer_id": "MUG-7", "catalog_id": "5"}},
        "[product] MUG-7",
    ),
    (
        "interactive",
        {"type": "button", "header": {"text": "Booking"}, "body": {"text": "Shall we?"}, "action": {}},
        "Booking\nShall we?",
    ),
    (
        "order",
        {
            "catalog_id": "5",
            "text": "ring twice",
            "product_items": [
                {"product_retailer_id": "MUG-7", "quantity": 3, "item_price": 2.5, "currency": "EUR"},
                {"product_retailer_id": "TEA-1", "quantity": "2", "item_price": "10", "currency": "EUR"},
            ],
        },
        "[order] ring twice\n3 × MUG-7 at 2.5 EUR\n2 × TEA-1 at 10 EUR\ntotal 27.5 EUR",
    ),
    ("reaction", {"message_id": "wamid.reacted", "emoji": "👍"}, "[reaction] 👍"),
    ("reaction", {"message_id": "wamid.reacted", "emoji": ""}, "[reaction removed]"),
    ("reaction", {"message_id": "wamid.reacted"}, "[reaction removed]"),
    (
        "system",
        {
            "type": "user_changed_number",
            "body": "Ann changed from 79001234567 to 79007654321",
            "wa_id": "79007654321",
        },
        "Ann changed from 79001234567 to 79007654321",
    ),
    (
        "system",
        {"type": "user_changed_user_id", "user_id": "RU.2", "previous_user_id": "RU.1"},
        "user changed user id",
    ),
    (
        "edit",
        {
            "original_message_id": "wamid.edited",
            "message": {"type": "text", "text": {"body": "Do you deliver today?"}},
        },
        "Do you deliver today?",
    ),
    (
        "edit",
        {"original_message_id": "wamid.edited", "message": {"type": "image", "image": {"caption": "Two"}}},
        "[image] Two",
    ),
    ("revoke", {"original_message_id": "wamid.revoked"}, "[message deleted]"),
    ("request_welcome", None, "[opened the chat]"),
    ("unsupported", {"type": "poll_creation"}, "[unsupported message: poll_creation]"),
    ("unsupported", None, "[unsupported message]"),
    ("hologram", {"caption": "Look"}, "[unsupported message: hologram] Look"),
]
