"""Turns channel messages into rows, with everything that follows from a message, in the transaction that stores it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.turns import opening
from assistant.turns.opening import Opened, UnansweredMessage
from conversations import handover, notifying, webhook_events
from conversations.history import contacts, corrections
from conversations.history.contacts import Contact, ConversationRef
from conversations.history.messages import NewMessage, StoredMessage
from conversations.models import Conversation
from leads import capture
from leads.capture import NewLead
from whatsapp.media import fetching

from . import echoes, forgetting
from .types import Echo, InboundMessage, Signer

Message = InboundMessage | Echo
GROUP_NAME = "WhatsApp group"  # Meta doesn't say what the group is called


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that was new, and its row."""

    item: Message
    row: StoredMessage

    @property
    def conversation(self) -> ConversationRef:
        return self.row.message.conversation


def clamped(time: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """The channel's time, never in the future: it opens the 24-hour window."""
    return min(time, now) if time else now


def contact(item: Message, tenant_id: int, now: dt.datetime) -> Contact:
    at = clamped(item.sent_at, now)
    opens_window = isinstance(item, InboundMessage) and (item.needs_answer or item.group_id is not None)
    return Contact(
        tenant_id=tenant_id,
        phone_number_id=item.phone_number_id,
        phone=item.phone,
        user_id=item.user_id,
        name=GROUP_NAME if item.group_id else item.name,
        inbound_at=at if opens_window else None,
        message_at=at,
    )


def new_message(item: Message, conversation: ConversationRef, signer: Signer, now: dt.datetime) -> NewMessage:
    is_echo = isinstance(item, Echo)
    return NewMessage(
        conversation=conversation,
        role="assistant" if is_echo else "user",
        origin="app" if is_echo else "customer",
        text=item.text,
        raw_json=item.raw,
        external_id=item.wamid,
        kind=item.kind,
        sent_at=clamped(item.sent_at, now),
        reply_to=item.reply_to or item.target or "",
        signed_by=signer.as_column,
    )


def carry_out(stored: Sequence[Stored]) -> Opened:
    """Do what follows from these new messages. Returns the turns that they opened or extended.

    Locks are taken in the usual order: conversations (already locked), turns, messages.
    """
    automatic = echoes.mark_automatic([new.row.id for new in stored if isinstance(new.item, Echo)])
    echoed = {new.conversation.id for new in stored if isinstance(new.item, Echo) and new.row.id not in automatic}
    revoked = _revoked(stored)
    opened = opening.open_for(
        [
            UnansweredMessage(new.conversation.id, new.row.id, new.item.at_once)
            for new in stored
            if isinstance(new.item, InboundMessage)
            and new.item.needs_answer
            and _is_answered_by_the_assistant(new)
            and new.conversation.id not in echoed
            and not _is_in(revoked, new)
        ]
    )
    for conversation_id in sorted(echoed):
        handover.take_over(conversation_id, None)
    if echoed:
        handover.clear_needs_person(sorted(echoed))
        notifying.answered(sorted(echoed))
    echoes.judge_overtaken((new.conversation.id, new.row.id) for new in stored if _is_with_person(new))
    for_the_team = {
        new.conversation.id
        for new in stored
        if isinstance(new.item, InboundMessage) and new.item.needs_answer and not _is_answered_by_the_assistant(new)
    }
    notifying.customer_wrote(for_the_team - echoed)
    capture.capture(
        _lead(new.item, new.conversation, "" if _is_in(revoked, new) else new.item.text)
        for new in stored
        if isinstance(new.item, InboundMessage) and new.conversation.is_first_contact and not new.item.group_id
    )
    fetching.expect(
        (new.row.id, new.item.kind, new.item.media) for new in stored if new.item.media and not _is_in(revoked, new)
    )
    told = [new.row.id for new in stored if new.conversation.has_subscriber and isinstance(new.item, InboundMessage)]
    if told:
        webhook_events.received(told)
    forgetting.forget(corrections.apply([new.row for new in stored]))
    for new in stored:
        message = new.row.message
        if message.kind == "revoke" and message.origin == "customer":
            forgetting.forget_quarantined(new.conversation.tenant_id, message.reply_to)
    for new in stored:
        item = new.item
        if isinstance(item, InboundMessage) and (item.moved_to_phone or item.moved_to_user_id):
            contacts.move(new.conversation.id, phone=item.moved_to_phone, user_id=item.moved_to_user_id)
    return opened


def _is_answered_by_the_assistant(new: Stored) -> bool:
    return new.conversation.is_active and new.conversation.handled_by == Conversation.Handler.ASSISTANT


def _is_with_person(new: Stored) -> bool:
    is_asking = isinstance(new.item, InboundMessage) and new.item.needs_answer
    return is_asking and new.conversation.handled_by == Conversation.Handler.OPERATOR


_Wamid = tuple[int, str | None, str]  # conversation, wamid, origin


def _revoked(stored: Sequence[Stored]) -> set[_Wamid]:
    """The messages that their sender deletes in these messages, or deleted before they came."""
    found: set[_Wamid] = set()
    for new in stored:
        message = new.row.message
        if message.kind == "revoke":
            found.add((message.conversation.id, message.reply_to, message.origin))
        if "revoke" in new.row.corrected_by:
            found.add((message.conversation.id, message.external_id, message.origin))
    return found


def _is_in(revoked: set[_Wamid], new: Stored) -> bool:
    message = new.row.message
    return (message.conversation.id, message.external_id, message.origin) in revoked


def _lead(item: InboundMessage, conversation: ConversationRef, text: str) -> NewLead:
    return NewLead(
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        name=item.name,
        phone=item.phone or "",
        first_text=text,
        referral=item.referral,
        source="advertisement" if item.referral else "whatsapp",
    )
