"""One delivery becomes rows: conversations, messages, leads, turns, statuses, or quarantine."""

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from assistant.turns import opening
from assistant.turns.opening import UnansweredMessage
from conversations import handover, webhook_events
from conversations.history import contacts, corrections
from conversations.history import messages as history
from conversations.history.contacts import Contact, Located
from conversations.history.messages import Arrival, Kept
from conversations.models import Conversation
from leads.capture import NewLead, capture
from runtime import crashpoints
from runtime.notify import notify_workers_on_commit
from whatsapp.media import fetching
from whatsapp.models import QuarantinedEvent
from whatsapp.quarantine import store as quarantine

from . import fast_ingest, status_updates
from .parsing import as_body, parse
from .routing import Route, Signer, routes
from .types import ChatMessage, Echo, InboundMessage, Rejected, StatusUpdate, WebhookBody

logger = logging.getLogger(__name__)

INTRODUCTIONS = 3
NEIGHBOURS = (psycopg.IntegrityError, psycopg.errors.DeadlockDetected)
PARTS = 4  # in halves, a thousand messages with one poison take half as long again


class OneIsRefused(Exception):
    """A message of a delivery is one that PostgreSQL does not take."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that was new, and where it went."""

    item: ChatMessage
    conversation: Located
    row: Kept


def accept(delivery: WebhookBody, signer: Signer) -> list[Rejected]:
    """Store all of a delivery; what cannot be stored is quarantined, and is the answer.

    Everything is committed when this returns. Raises OperationalError or InterfaceError when the database is
    away (answer 503: Meta delivers again, and what is stored already is stored once).
    """
    store = _store_all
    try:
        pass
    except OneIsRefused:
        store = _store_in_parts
    items: list[ChatMessage] = [*delivery.messages, *delivery.echoes]
    everything: list[ChatMessage | StatusUpdate] = [*items, *delivery.statuses]
    by_number = routes((item.phone_number_id for item in everything), signer)
    refused = [_refused(item, by_number) for item in everything if by_number[item.phone_number_id].refusal]
    welcome = [item for item in items if not by_number[item.phone_number_id].refusal]
    rejected = [*delivery.rejected, *refused, *store(welcome, by_number)]
    quarantine.keep(rejected)
    _apply((update for update in delivery.statuses if not by_number[update.phone_number_id].refusal), by_number)
    return rejected


def _stored_at_once(delivery: WebhookBody, signer: Signer) -> bool:
    """The usual delivery goes the short way; False, or OneIsRefused: nothing was stored, take it step by step."""
    unusual = delivery.echoes or delivery.statuses or delivery.rejected or signer != Signer()
    if unusual or not fast_ingest.is_usual(delivery.messages):
        return False
    now = timezone.now()
    try:
        new = fast_ingest.store(delivery.messages, [_clamped(item.sent_at, now) for item in delivery.messages])
    except (DatabaseError, InterfaceError, ValueError) as error:
        if isinstance(error.__cause__, NEIGHBOURS):
            return False  # the steps get past the neighbour
        if isinstance(error, OperationalError | InterfaceError):
            raise
        raise OneIsRefused from error  # the steps find out which of them it is
    for message in new or ():
        if message.corrected:
            corrections.catch_up(message.conversation_id, message.wamid)
        logger.info("[WA][CHAT] conv_id=%s stored user msg", message.conversation_id)
    return new is not None


def replay(event: QuarantinedEvent) -> str:
    """Try a quarantined piece again: '' when it is stored now, else the reason why not."""
    rejected = accept(parse(event.raw), Signer(trusted=True))
    if rejected:
        return rejected[0].reason
    quarantine.resolve(event)
    return ""


def _refused(item: ChatMessage | StatusUpdate, by_number: dict[str, Route]) -> Rejected:
    return _aside(item, by_number[item.phone_number_id].refusal)


def _aside(item: ChatMessage | StatusUpdate, reason: str) -> Rejected:
    field = "smb_message_echoes" if isinstance(item, Echo) else "messages"
    return Rejected(reason=reason, field=field, phone_number_id=item.phone_number_id, raw=as_body(item))


def _store_all(items: Sequence[ChatMessage], by_number: dict[str, Route]) -> list[Rejected]:
    """All in one transaction. Where PostgreSQL refuses one, in parts, until that one is alone."""
    if not items:
        return []
    try:
        return _store_in_peace(items, by_number)
    except (OperationalError, InterfaceError):
        raise
    except (DatabaseError, ValueError) as error:
        if len(items) > 1:
            return _store_in_parts(items, by_number)
        logger.exception("a message cannot be stored; it is quarantined")
        return [_aside(items[0], f"cannot be stored: {type(error).__name__}")]


def _store_in_parts(items: Sequence[ChatMessage], by_number: dict[str, Route]) -> list[Rejected]:
    size = max(1, -(-len(items) // PARTS))
    parts = (items[at : at + size] for at in range(0, len(items), size))
    return [rejected for part in parts for rejected in _store_all(part, by_number)]


def _store_in_peace(items: Sequence[ChatMessage], by_number: dict[str, Route]) -> list[Rejected]:
    """Again when a neighbour introduced the same person another way at the same moment.

    A person has three ways to be known (number, user id, both), so after three such neighbours there is peace.
    """
    for _ in range(INTRODUCTIONS):
        try:
            return _store(items, by_number)
        except (IntegrityError, OperationalError) as error:
            if not isinstance(error.__cause__, NEIGHBOURS):
                raise
    return _store(items, by_number)


def _store(items: Sequence[ChatMessage], by_number: dict[str, Route]) -> list[Rejected]:
    now = timezone.now()
    people = {position: _contact(item, by_number, now) for position, item in enumerate(items)}
    with transaction.atomic():
        located = contacts.locate(people.values())
        pairs = [(item, located[people[n]]) for n, item in enumerate(items) if people[n] in located]
        rows = history.store_arrivals([_arrival(item, where, now) for item, where in pairs])
        crashpoints.reach("C4")
        stored = [Stored(item, where, row) for (item, where), row in zip(pairs, rows, strict=True) if row]
        _follow_up(stored)
    for new in stored:
        logger.info("[WA][CHAT] conv_id=%s stored %s msg", new.conversation.id, _side(new.item))
    return [_aside(item, "conversation of another tenant") for n, item in enumerate(items) if people[n] not in located]


def _side(item: ChatMessage) -> str:
    return "business" if isinstance(item, Echo) else "user"


def _contact(item: ChatMessage, by_number: dict[str, Route], now: dt.datetime) -> Contact:
    at = _clamped(item.sent_at, now)
    opens_window = isinstance(item, InboundMessage) and item.speaks
    return Contact(
        tenant_id=by_number[item.phone_number_id].tenant_id,
        phone_number_id=item.phone_number_id,
        phone=item.phone,
        user_id=item.user_id,
        name=item.name,
        inbound_at=at if opens_window else None,
        message_at=at,
    )


def _clamped(time: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """The channel's time, never in the future: it opens the 24-hour window."""
    return min(time, now) if time else now


def _arrival(item: ChatMessage, where: Located, now: dt.datetime) -> Arrival:
    return Arrival(
        conversation_id=where.id,
        role="assistant" if isinstance(item, Echo) else "user",
        origin="app" if isinstance(item, Echo) else "customer",
        text=item.text,
        raw_json=item.raw,
        external_id=item.wamid,
        kind=item.kind,
        sent_at=_clamped(item.sent_at, now),
        reply_to=item.reply_to or item.target or "",
    )


def _follow_up(stored: Sequence[Stored]) -> None:
    """What new messages bring about besides themselves, in the same transaction."""
    for new in stored:
        _correct(new)
        if new.row.corrected and new.item.wamid:
            corrections.catch_up(new.conversation.id, new.item.wamid)
    echoed = {new.conversation.id for new in stored if isinstance(new.item, Echo)}
    for conversation_id in echoed:
        handover.take_over(conversation_id, None)
    capture(_lead(new, new.item) for new in stored if isinstance(new.item, InboundMessage))
    fetching.expect((new.row.id, new.item.kind, new.item.media) for new in stored if new.item.media)
    webhook_events.received(new.row.id for new in stored if _is_told(new))
    if opening.open_for([_spoken(new) for new in stored if new.conversation.id not in echoed and _wants_answer(new)]):
        notify_workers_on_commit()


def _is_told(new: Stored) -> bool:
    return new.conversation.is_listened_to and isinstance(new.item, InboundMessage)


def _correct(new: Stored) -> None:
    item, conversation_id = new.item, new.conversation.id
    if item.kind == "edit" and item.target:
        corrections.edit(conversation_id, item.target, item.text)
    elif item.kind == "revoke" and item.target:
        corrections.revoke(conversation_id, item.target)
    elif isinstance(item, InboundMessage) and (item.moved_to_phone or item.moved_to_user_id):
        contacts.move(conversation_id, phone=item.moved_to_phone, user_id=item.moved_to_user_id)


def _lead(new: Stored, item: InboundMessage) -> NewLead:
    return NewLead(
        tenant_id=new.conversation.tenant_id,
        conversation_id=new.conversation.id,
        name=item.name,
        phone=item.phone or "",
        first_text=item.text,
        referral=item.referral,
        source="advertisement" if item.referral else "whatsapp",
    )


def _wants_answer(new: Stored) -> bool:
    speaks = isinstance(new.item, InboundMessage) and new.item.speaks
    where = new.conversation
    return speaks and where.is_active and where.handled_by == Conversation.Handler.ASSISTANT


def _spoken(new: Stored) -> UnansweredMessage:
    at_once = isinstance(new.item, InboundMessage) and new.item.at_once
    return UnansweredMessage(new.conversation.id, new.row.id, at_once)


def _apply(updates: Iterable[StatusUpdate], by_number: dict[str, Route]) -> None:
    """Statuses move messages along, in one order, so that two deliveries of the same do not deadlock.

    First the failed ones, which change their conversation too: it is locked before any message.
    """
    now = timezone.now()
    ordered = sorted(
        updates, key=lambda update: (update.status != "failed", update.message_id or 0, update.wamid or "")
    )
    if ordered:
        with transaction.atomic():
            for update in ordered:
                at = _clamped(update.at, now)
                status_updates.apply(replace(update, at=at), by_number[update.phone_number_id].tenant_id)
