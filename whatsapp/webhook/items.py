"""Turns one message, echo or status of a webhook body into its frozen value.

Source: Meta, "WhatsApp Cloud API > Webhooks > Reference > messages" and "> smb_message_echoes".
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from conversations.choices import GROUP
from conversations.files.attachments import KINDS
from runtime.untrusted_json import Json, as_dict, as_list, as_text, one_line, short_id

from .rendering import error_text, kind_of, payment_text, render_text
from .types import Echo, InboundMessage, Media, StatusUpdate
from .unknown import shown_name

MAX_ID = 255
MAX_GROUP = 200  # of a group's ID, which is part of its conversation's
MAX_WAMID = 1000  # far longer than any that Meta has ever sent
MAX_LABEL = 100
MAX_NAME = 255
MAX_WORDS = 500  # of an error
MAX_BIGINT = 2**63 - 1
LATEST = 4_133_980_800  # 2101-01-01 in seconds: a later time is a mistake
MILLISECONDS_FROM = 100_000_000_000  # in seconds that would be the year 5138

STATUSES = {"sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed"}
SILENT_KINDS = {"reaction", "edit", "revoke", "system", "request_welcome"}
TAPS = {"button_reply", "list_reply"}
TARGETS = {"reaction": "message_id", "edit": "original_message_id", "revoke": "original_message_id"}
NUMBER_CHANGES = {"user_changed_number", "customer_changed_number"}
IDENTITY_CHANGES = {*NUMBER_CHANGES, "user_changed_user_id"}
# The keys under which an item names the customer: by phone number, by business-scoped user ID.
CUSTOMER = {
    "messages": ("from", "from_user_id"),
    "message_echoes": ("to", "to_user_id"),
    "statuses": ("recipient_id", "recipient_user_id"),
}

_PHONE = re.compile(r"\+?[\d\s().\-\u200e\u200f\u202a-\u202e]+")
_TRACKER = re.compile(r"[1-9][0-9]{0,18}")
_DIGITS = re.compile(r"[0-9]{1,16}")


class ItemRejected(Exception):
    """One item can't be read; the message says why."""


class _Common(TypedDict):
    """The fields of `ChatMessage`."""

    phone_number_id: str
    display_phone_number: str
    phone: str | None
    user_id: str | None
    group_id: str | None
    name: str
    wamid: str | None
    kind: str
    text: str
    sent_at: datetime | None
    reply_to: str | None
    target: str | None
    media: Media | None
    raw: Json


@dataclass(frozen=True, slots=True)
class Change:
    """What surrounds an item."""

    entry_id: object
    field: str
    value: Json
    contacts: dict[str, Json]  # by wa_id and by user_id
    sole: Json  # the only contact of the only customer here, else {}

    def metadata(self, key: str) -> str:
        return as_text(as_dict(self.value.get("metadata")).get(key))[:MAX_ID]

    def contact(self, key: str, item: Json) -> Json:
        """The contact that belongs to an item, {} if none does.

        A sole contact doesn't have to match, because WhatsApp IDs and phone numbers differ in some countries. In an
        echo it must not be the business itself.
        """
        for identity in filter(None, (as_text(item.get(name)) for name in CUSTOMER[key])):
            if identity in self.contacts:
                return self.contacts[identity]
        business = as_text(item.get("from")) if key == "message_echoes" else ""
        return self.sole if not business or as_text(self.sole.get("wa_id")) != business else {}


def inbound(here: Change, item: Json, key: str = "messages") -> InboundMessage:
    """One of ``messages``. Raises ItemRejected if it has no sender, content or number, or one of those IDs is too
    long."""
    common = _common(here, key, item)
    profile = as_dict(here.contact(key, item).get("profile"))
    kind, subtype = common["kind"], as_text(as_dict(item.get("interactive")).get("type")).lower()
    in_group = common["group_id"] is not None
    if in_group and kind not in SILENT_KINDS:
        phone, user_id = _identity(key, item, here.contact(key, item))
        common["text"] = f"{common['name'] or phone or user_id}: {common['text']}"
    moved_to_phone, moved_to_user_id = (None, None) if in_group else _moved_to(item)
    return InboundMessage(
        **common,
        username=shown_name(profile.get("username")),
        referral=as_dict(item.get("referral")) or None,
        needs_answer=not (kind in SILENT_KINDS or subtype == "call_permission_reply" or in_group),
        at_once=kind == "button" or (kind == "interactive" and subtype in TAPS),
        moved_to_phone=moved_to_phone if moved_to_phone != common["phone"] else None,
        moved_to_user_id=moved_to_user_id if moved_to_user_id != common["user_id"] else None,
    )


def echo(here: Change, item: Json) -> Echo:
    """One of ``message_echoes``. Raises ItemRejected like `inbound`."""
    return Echo(**_common(here, "message_echoes", item))


def _common(here: Change, key: str, item: Json) -> _Common:
    contact = here.contact(key, item)
    phone, user_id = _identity(key, item, contact)
    kind, text = _content(item)
    wamid, group_id = as_text(item.get("id")), short_id(item.get("group_id"), MAX_GROUP)
    if _is_payment(item):  # its ID is that of the message that asked for the payment
        wamid = f"payment.{wamid}.{as_text(item.get('status'))}"
    if group_id:
        phone, user_id = None, f"{GROUP}{group_id}"
    return {
        "phone_number_id": _phone_number_id(here),
        "display_phone_number": here.metadata("display_phone_number"),
        "phone": phone,
        "user_id": user_id,
        "group_id": group_id or None,
        "name": shown_name(as_dict(contact.get("profile")).get("name")),
        "wamid": _wamid(wamid),
        "kind": kind,
        "text": text,
        "sent_at": _time(item.get("timestamp")),
        "reply_to": _wamid(as_dict(item.get("context")).get("id")),
        "target": _wamid(as_dict(item.get(kind)).get(TARGETS[kind])) if kind in TARGETS else None,
        "media": _media(kind, item),
        "raw": item,
    }


def _media(kind: str, item: Json) -> Media | None:
    content = as_dict(item.get(kind)) if kind in KINDS else {}
    media_id = as_text(content.get("id"))
    if not media_id or len(media_id) > MAX_ID:
        return None
    return Media(
        id=media_id,
        mime_type=as_text(content.get("mime_type"))[:MAX_LABEL],
        sha256=hexadecimal(as_text(content.get("sha256"))),
        filename=shown_name(content.get("filename")),
    )


def hexadecimal(sha256: str) -> str:
    """A checksum that Meta sends in hexadecimal or in base64, as hexadecimal; '' if it's neither."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        return sha256.lower()
    try:
        raw = base64.b64decode(sha256, altchars=b"-_" if set(sha256) & set("-_") else None, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == 32 else ""


def _identity(key: str, item: Json, contact: Json) -> tuple[str | None, str | None]:
    """The customer's phone number and user ID. A system message contains the previous one."""
    phone_key, user_key = CUSTOMER[key]
    phone = _phone(item.get(phone_key)) or _phone(contact.get("wa_id"))
    previous = _id(as_dict(item.get("system")).get("previous_user_id"))
    user_id = previous or _id(item.get(user_key)) or _id(contact.get("user_id"))
    if not phone and not user_id:
        raise ItemRejected("no sender")
    return phone, user_id


def _moved_to(item: Json) -> tuple[str | None, str | None]:
    """The new number and user ID in a system message. A new number comes with a new user ID."""
    system = as_dict(item.get("system"))
    change = as_text(system.get("type")).lower()
    phone = _phone(system.get("new_wa_id")) or _phone(system.get("wa_id"))
    user_id = _id(system.get("user_id"))
    return phone if change in NUMBER_CHANGES else None, user_id if change in IDENTITY_CHANGES else None


def _is_payment(item: Json) -> bool:
    is_status = as_text(item.get("status")).lower() in STATUSES
    return as_text(item.get("type")).lower() == "payment" or (bool(as_dict(item.get("payment"))) and not is_status)


def _content(item: Json) -> tuple[str, str]:
    if _is_payment(item):
        return "system", payment_text(item)
    kind = kind_of(item)
    text = render_text(kind, item) if kind else ""
    # Meta says why it left out the content; or the edit is of a kind that we can't read.
    if (item.get("errors") and not (text and item.get(kind or ""))) or (kind == "edit" and not text):
        kind, text = "unsupported", render_text("unsupported", item)
    if not kind or not text:
        raise ItemRejected("no content")
    return kind, text


def status(here: Change, item: Json) -> StatusUpdate | InboundMessage:
    """One of ``statuses``. A notice about a payment is a message. Raises ItemRejected for the status of a call, an
    unknown one, or one without a message.
    """
    if _is_payment(item):
        return inbound(here, item, "statuses")
    word = as_text(item.get("status")).lower()
    if as_text(item.get("type")).lower() == "call":
        raise ItemRejected("call status")
    if word not in STATUSES:
        raise ItemRejected(f"unknown status: {word[:MAX_LABEL]}".strip())
    wamid, message_id = _wamid(item.get("id")), _tracker(item.get("biz_opaque_callback_data"))
    if wamid is None and message_id is None:
        raise ItemRejected("status without id")
    return StatusUpdate(
        phone_number_id=_phone_number_id(here),
        wamid=wamid,
        message_id=message_id,
        status=STATUSES[word],
        at=_time(item.get("timestamp")),
        error_code=_code(item.get("errors")),
        error_detail=one_line(error_text(item.get("errors")), MAX_WORDS),
        raw=item,
    )


def _phone_number_id(here: Change) -> str:
    found = _id(as_dict(here.value.get("metadata")).get("phone_number_id"))
    if not found:
        raise ItemRejected("no phone_number_id")
    return found


def _id(value: object) -> str | None:
    found = as_text(value) if isinstance(value, str | int) else ""
    if len(found) > MAX_ID:
        raise ItemRejected("id too long")
    return found or None


def _wamid(value: object) -> str | None:
    """A message's ID, shortened if need be as everywhere: see `short_id`."""
    found = as_text(value)
    if len(found) > MAX_WAMID:
        raise ItemRejected("id too long")
    return short_id(found) or None


def _phone(value: object) -> str | None:
    """Strip the plus, spaces and direction marks that some people and systems add."""
    found = _id(value)
    return re.sub(r"\D", "", found) or None if found and _PHONE.fullmatch(found) else found


def _tracker(value: object) -> int | None:
    found = as_text(value)
    return int(found) if _TRACKER.fullmatch(found) and int(found) <= MAX_BIGINT else None


def _code(errors: object) -> int | None:
    code = as_text(as_dict(next(iter(as_list(errors)), None)).get("code"))
    return int(code) if re.fullmatch(r"[0-9]{1,9}", code) else None


def _time(value: object) -> datetime | None:
    """Seconds or milliseconds since 1970, as a number or as text."""
    if not _DIGITS.fullmatch(as_text(value)):
        return None
    stamp = int(as_text(value))
    seconds = stamp / 1000 if stamp >= MILLISECONDS_FROM else stamp
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < LATEST else None
