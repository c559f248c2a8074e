"""Who is the contact? From what a delivery knows of a person to the one conversation with that person.

`external_id` is the phone number when it is known, else the business-scoped user id (BSUID). A person may be
known by one of the two first and by both later; the conversation stays the same.
"""

import datetime as dt
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from conversations.models import Conversation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What one delivery says of a person. At least one of `phone` and `user_id` is set."""

    tenant_id: int | None
    phone_number_id: str
    phone: str | None
    user_id: str | None
    name: str = ""
    inbound_at: dt.datetime | None = None  # of the person's own message, never in the future: opens the window
    message_at: dt.datetime | None = None  # of any message of either side

    @property
    def key(self) -> tuple[str, str]:
        """(phone_number_id, external_id)."""
        return self.phone_number_id, self.phone or self.user_id or ""


@dataclass(frozen=True, slots=True)
class Located:
    """The conversation of a contact; its row is locked until the transaction ends."""

    id: int
    tenant_id: int | None
    is_active: bool
    handled_by: str
    is_listened_to: bool  # a webhook of its tenant wants to hear what the customer writes


_UPSERT = """
INSERT INTO conversations AS c
    (tenant_id, phone_number_id, external_id, contact_user_id, contact_name, last_inbound_at, last_message_at)
SELECT tenant_id, phone_number_id, external_id, user_id, name, inbound_at, message_at
FROM jsonb_to_recordset(%s) AS contact(
    tenant_id bigint, phone_number_id text, external_id text, user_id text, name text,
    inbound_at timestamptz, message_at timestamptz)
ORDER BY phone_number_id, external_id  -- all deliveries lock in one order: no deadlock
ON CONFLICT (channel, phone_number_id, external_id) DO UPDATE SET
    contact_user_id = COALESCE(EXCLUDED.contact_user_id, c.contact_user_id),
    contact_name = COALESCE(NULLIF(EXCLUDED.contact_name, ''), c.contact_name),
    last_inbound_at = GREATEST(c.last_inbound_at, EXCLUDED.last_inbound_at),
    last_message_at = GREATEST(c.last_message_at, EXCLUDED.last_message_at),
    updated_at = clock_timestamp()
-- A number that moved to another tenant doesn't bring along the conversations of the previous one.
WHERE c.tenant_id = EXCLUDED.tenant_id
RETURNING phone_number_id, external_id, id, tenant_id, is_active, handled_by, EXISTS (
    SELECT FROM webhook_endpoints w WHERE w.is_active AND 'message.received' = ANY (w.event_types) AND (
        w.tenant_id = c.tenant_id))
"""


def locate(contacts: Iterable[Contact]) -> dict[Contact, Located]:
    """The conversations of these contacts, made where there is none, locked in one order.

    A contact whose conversation belongs to another tenant is missing from the answer. Call it inside a
    transaction. Raises IntegrityError when a concurrent delivery introduced the same person another way:
    run the transaction once more.
    """
    wanted = {contact: _known_as(contact) for contact in contacts}
    merged: dict[tuple[str, str], Contact] = {}
    for contact in wanted.values():
        merged[contact.key] = _merge(merged[contact.key], contact) if contact.key in merged else contact
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [json.dumps([_row(contact) for contact in merged.values()], default=str)])
        rows = {(row[0], row[1]): Located(*row[2:]) for row in cursor.fetchall()}
    return {contact: rows[known.key] for contact, known in wanted.items() if known.key in rows}


def _row(contact: Contact) -> dict[str, object]:
    return {**asdict(contact), "external_id": contact.key[1]}


def _merge(one: Contact, other: Contact) -> Contact:
    return replace(
        one,
        user_id=other.user_id or one.user_id,
        name=other.name or one.name,
        inbound_at=_later(one.inbound_at, other.inbound_at),
        message_at=_later(one.message_at, other.message_at),
    )


def _later(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return max((time for time in (one, other) if time), default=None)


def _known_as(contact: Contact) -> Contact:
    """The contact under the external_id of the conversation that already holds this user id."""
    if not contact.user_id:
        return contact
    theirs = _rows(contact).filter(contact_user_id=contact.user_id).exclude(external_id=contact.phone or "").first()
    if theirs is None:
        return contact
    if contact.phone is None:
        return replace(contact, phone=theirs.external_id)
    _rename(theirs, phone=contact.phone)
    return contact


def _rows(contact: Contact) -> QuerySet[Conversation]:
    return Conversation.objects.filter(channel="whatsapp", phone_number_id=contact.phone_number_id)


def _rename(conversation: Conversation, phone: str) -> None:
    """The person's number is (now) this one: the conversation moves along.

    Where another conversation has that number already, that one goes on with the person, user id included.
    """
    try:
        with transaction.atomic():
            Conversation.objects.filter(pk=conversation.pk).update(external_id=phone)
    except IntegrityError:
        logger.warning("conv_id=%s: its number has another conversation, which goes on", conversation.pk)
        Conversation.objects.filter(pk=conversation.pk).update(contact_user_id=None)


def move(conversation_id: int, *, phone: str | None, user_id: str | None) -> bool:
    """A customer told Meta of a new phone number or user id: the conversation moves along.

    False when another conversation already stands under the new name; both then stay as they are.
    """
    conversation = Conversation.objects.get(pk=conversation_id)
    changes: dict[str, str] = {}
    if user_id:
        changes["contact_user_id"] = user_id
    if phone or (user_id and conversation.phone is None):
        changes["external_id"] = phone or user_id or ""
    try:
        with transaction.atomic():
            Conversation.objects.filter(pk=conversation_id).update(**changes)
    except IntegrityError:
        logger.warning("conv_id=%s cannot move to %s: a conversation is there already", conversation_id, changes)
        return False
    return True
