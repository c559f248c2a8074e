"""Finds the one conversation of each contact, and locks it.

`external_id` is the phone number if it's known, else the business-scoped user ID (BSUID). Someone may be known by one
of the two at first and by both later; the conversation stays the same.

Locks come first: `lock` takes the rows that exist, in the order of their IDs, and `save` creates and updates them.
"""

import datetime as dt
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction

from conversations.models import Conversation
from conversations.numbers import spellings
from runtime import prepared

logger = logging.getLogger(__name__)


class Renamed(Exception):
    """A conversation was renamed between being found and being locked. Retry the transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What one message says about a contact. At least one of `phone` and `user_id` is set."""

    tenant_id: int
    phone_number_id: str
    phone: str | None
    user_id: str | None
    name: str = ""
    inbound_at: dt.datetime | None = None  # of the customer's own message, never in the future: opens the window
    message_at: dt.datetime | None = None  # of any message of either side

    @property
    def external_id(self) -> str:
        return self.phone or self.user_id or ""

    @property
    def key(self) -> tuple[str, str]:
        return self.phone_number_id, self.external_id

    @property
    def other_form(self) -> str | None:
        """The same phone number as it's also written, if there are two ways."""
        long, short = spellings(self.phone or "")
        return None if long == short else short if self.phone == long else long


@dataclass(frozen=True, slots=True)
class ConversationRef:
    """A conversation whose row is locked until the transaction ends."""

    id: int
    tenant_id: int
    is_active: bool
    handled_by: str
    has_subscriber: bool  # a webhook of its tenant wants to know what the customer writes
    is_first_contact: bool  # the customer hasn't written before


@dataclass(frozen=True, slots=True)
class _Row:
    """A locked row as it was before this transaction."""

    id: int
    tenant_id: int | None
    phone_number_id: str
    external_id: str
    user_id: str | None
    is_first_contact: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The rows that already stand for a contact: at most two, until we learn that they are one customer."""

    by_name: _Row | None = None
    by_user_id: _Row | None = None

    def is_foreign_to(self, tenant_id: int) -> bool:
        """A number that moved to another tenant doesn't bring along the previous one's conversations."""
        return any(row and row.tenant_id != tenant_id for row in (self.by_name, self.by_user_id))

    @property
    def is_first_contact(self) -> bool:
        return all(row is None or row.is_first_contact for row in (self.by_name, self.by_user_id))


@dataclass(frozen=True, slots=True)
class Locks:
    """What `lock` found."""

    ids: Collection[int]  # the conversations that are locked now
    busy: Collection[Contact]  # another transaction holds their conversation
    known: Mapping[Contact, Known]  # all others


# Subqueries, because a join on a young table without statistics would read all conversations of the number.
_LOCK = """
WITH found AS MATERIALIZED (
    SELECT w.position, COALESCE((
        SELECT c.id FROM conversations c
        WHERE c.channel = 'whatsapp' AND c.phone_number_id = w.number AND c.external_id = w.name), (
        SELECT c.id FROM conversations c
        WHERE c.channel = 'whatsapp' AND c.phone_number_id = w.number AND c.external_id = w.other)) AS id
    FROM unnest(%(numbers)s::text[], %(names)s::text[], %(others)s::text[])
        WITH ORDINALITY AS w(number, name, other, position)
    UNION ALL
    SELECT w.position, (
        SELECT c.id FROM conversations c
        WHERE c.channel = 'whatsapp' AND c.phone_number_id = w.number AND c.contact_user_id = w.user_id)
    FROM unnest(%(numbers)s::text[], %(user_ids)s::text[]) WITH ORDINALITY AS w(number, user_id, position)
    WHERE w.user_id IS NOT NULL
), locked AS MATERIALIZED (
    SELECT c.id, c.tenant_id, c.phone_number_id, c.external_id, c.contact_user_id,
        c.last_inbound_at IS NULL AS is_first_contact
    FROM conversations c
    WHERE c.id = ANY (ARRAY(SELECT id FROM found WHERE id IS NOT NULL) || %(ids)s::bigint[])
    ORDER BY c.id FOR NO KEY UPDATE {wait}
)
SELECT id, tenant_id, phone_number_id, external_id, contact_user_id, is_first_contact, NULL FROM locked
UNION ALL
SELECT id, NULL, NULL, NULL, NULL, NULL, position FROM found WHERE id IS NOT NULL
"""
_LOCK_ALL = _LOCK.format(wait="")
_LOCK_FREE = _LOCK.format(wait="SKIP LOCKED")


def lock(contacts: Iterable[Contact], ids: Iterable[int] = (), *, skip: bool) -> Locks:
    """Lock the conversations of these contacts, and those with these IDs, in one order.

    With `skip`, rows that another transaction holds are left out. Raises Renamed.
    """
    wanted = list(dict.fromkeys(contacts))
    values = prepared.execute(
        _LOCK_FREE if skip else _LOCK_ALL,
        {
            "numbers": [contact.phone_number_id for contact in wanted],
            "names": [contact.external_id for contact in wanted],
            "others": [contact.other_form for contact in wanted],
            "user_ids": [contact.user_id for contact in wanted],
            "ids": list(ids),
        },
    )
    rows = {value[0]: _Row(*value[:-1]) for value in values if value[-1] is None}
    found: dict[Contact, set[int]] = {contact: set() for contact in wanted}
    for pk, *_, position in values:
        if position is not None:
            found[wanted[position - 1]].add(pk)
    busy = {contact for contact, pks in found.items() if not pks <= rows.keys()}
    if busy and not skip:
        raise Renamed  # or deleted
    known = {
        contact: _known(contact, [rows[pk] for pk in pks]) for contact, pks in found.items() if contact not in busy
    }
    return Locks(rows.keys(), busy, known)


def _known(contact: Contact, rows: Iterable[_Row]) -> Known:
    by_name = by_user_id = None
    for row in rows:
        is_named = row.external_id in (contact.external_id, contact.other_form)
        is_user = bool(contact.user_id) and row.user_id == contact.user_id
        if row.phone_number_id != contact.phone_number_id or not (is_named or is_user):
            raise Renamed
        by_name = row if is_named else by_name
        by_user_id = row if is_user else by_user_id
    return Known(by_name, by_user_id)


_SAVE = """
INSERT INTO conversations AS c
    (tenant_id, phone_number_id, external_id, contact_user_id, contact_name, last_inbound_at, last_message_at)
SELECT tenant_id, phone_number_id, external_id, user_id, name, inbound_at, message_at
FROM jsonb_to_recordset(%(contacts)s::jsonb) AS contact(
    tenant_id bigint, phone_number_id text, external_id text, user_id text, name text,
    inbound_at timestamptz, message_at timestamptz)
ORDER BY phone_number_id, external_id  -- always created in the same order
ON CONFLICT (channel, phone_number_id, external_id) DO UPDATE SET
    contact_user_id = COALESCE(EXCLUDED.contact_user_id, c.contact_user_id),
    contact_name = COALESCE(NULLIF(EXCLUDED.contact_name, ''), c.contact_name),
    last_inbound_at = GREATEST(c.last_inbound_at, EXCLUDED.last_inbound_at),
    last_message_at = GREATEST(c.last_message_at, EXCLUDED.last_message_at),
    updated_at = clock_timestamp()
WHERE c.tenant_id = EXCLUDED.tenant_id
RETURNING c.phone_number_id, c.external_id, c.id, c.tenant_id, c.is_active, c.handled_by, EXISTS (
    SELECT FROM webhook_endpoints w
    WHERE w.is_active AND 'message.received' = ANY (w.event_types) AND w.tenant_id = c.tenant_id)
"""
_COLUMNS = ("tenant_id", "phone_number_id", "external_id", "user_id", "name", "inbound_at", "message_at")


def save(contacts: Iterable[Contact], known: Mapping[Contact, Known]) -> dict[Contact, ConversationRef]:
    """Create or update the conversations of these contacts. `known` comes from `lock`.

    A contact whose conversation belongs to another tenant is missing from the result. Raises IntegrityError if a
    concurrent transaction introduced the same contact in another way; retry the transaction then.
    """
    wanted = list(dict.fromkeys(contacts))
    if not wanted:
        return {}
    written: dict[Contact, Contact] = {}
    forms: dict[tuple[str, str], str] = {}
    for contact in wanted:
        row, phone = known.get(contact, Known()).by_name, contact.phone
        if phone:  # as its conversation has it, or as it came first
            form = forms.setdefault((contact.phone_number_id, spellings(phone)[0]), row.external_id if row else phone)
            phone = row.external_id if row else form
        written[contact] = replace(contact, phone=phone)
    # A customer whose message here has both names has one conversation for both.
    phones = {
        (each.phone_number_id, each.user_id): each.phone for each in written.values() if each.phone and each.user_id
    }
    named = {contact: _named(written[contact], known.get(contact, Known()), phones) for contact in wanted}
    merged: dict[tuple[str, str], Contact] = {}
    for contact in named.values():
        merged[contact.key] = _merge(merged[contact.key], contact) if contact.key in merged else contact
    # Not `asdict`: it copies each value, which takes longer than the statement.
    rows = [{name: getattr(contact, name) for name in _COLUMNS} for contact in merged.values()]
    saved = {
        (number, external_id): columns
        for number, external_id, *columns in prepared.execute(_SAVE, {"contacts": json.dumps(rows, default=str)})
    }
    return {
        contact: ConversationRef(*(*saved[name.key], known.get(contact, Known()).is_first_contact))
        for contact, name in named.items()
        if name.key in saved
    }


def _named(contact: Contact, known: Known, phones: Mapping[tuple[str, str], str]) -> Contact:
    """The contact, with the external ID of the conversation that already has this user ID."""
    row = known.by_user_id
    if contact.phone is None:
        phone = phones.get((contact.phone_number_id, contact.external_id)) or (row.external_id if row else None)
        return replace(contact, phone=phone)
    if row is not None and row.external_id != contact.phone:
        if known.by_name is None:
            Conversation.objects.filter(pk=row.id).update(external_id=contact.phone)
        else:
            # Both were in use. The conversation with the phone number continues, with the user ID.
            logger.warning("conv_id=%s: the conversation with its phone number continues", row.id)
            Conversation.objects.filter(pk=row.id).update(contact_user_id=None)
    return contact


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


def move(conversation_id: int, *, phone: str | None, user_id: str | None) -> bool:
    """The customer has a new phone number or user ID: rename the conversation.

    False if another conversation already has that name; both then stay as they are.
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
        logger.warning("conv_id=%s can't move to %s: another conversation has that name", conversation_id, changes)
        return False
    return True
