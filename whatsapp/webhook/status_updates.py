"""Applies Meta's status updates to the messages we sent, many at a time."""

import datetime as dt
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from conversations import handover, webhook_events
from conversations.choices import BEFORE_SENT, RANK, TIMES
from conversations.models import Status
from notifications.choices import Kind
from runtime import prepared

from .types import StatusUpdate

logger = logging.getLogger(__name__)

SENT = (Status.SENT, Status.DELIVERED, Status.READ)


@dataclass(frozen=True, slots=True)
class Found:
    """A status update and our message that it's about."""

    update: StatusUpdate
    message_id: int
    conversation_id: int


# By our own ID, which Meta brings back, else by wamid; within the number and the tenant of the delivery. Our ID may
# come from another system's numbering: a message with a different wamid isn't the one.
_FIND = """
SELECT u.position, m.id, m.conversation_id
FROM jsonb_to_recordset(%(updates)s::jsonb) AS u(
    position int, tenant_id bigint, number text, message_id bigint, wamid text)
CROSS JOIN LATERAL (
    SELECT m.id, m.conversation_id, 1 AS preference FROM conversation_messages m
    WHERE m.id = u.message_id AND m.role = 'assistant' AND m.status <> ''
        AND (m.external_id IS NULL OR m.external_id = u.wamid)
    UNION ALL
    SELECT m.id, m.conversation_id, 2 FROM conversation_messages m
    WHERE m.external_id = u.wamid AND m.role = 'assistant' AND m.status <> ''
) AS m
JOIN conversations c ON c.id = m.conversation_id AND c.phone_number_id = u.number AND c.tenant_id = u.tenant_id
ORDER BY u.position, m.preference DESC
"""


def find(updates: Sequence[tuple[StatusUpdate, int]]) -> list[Found | None]:
    """The messages that these updates are about, with the tenant of each. Nothing is locked."""
    if not updates:
        return []
    rows = [
        {
            "position": position,
            "tenant_id": tenant_id,
            "number": update.phone_number_id,
            "message_id": update.message_id,
            "wamid": update.wamid,
        }
        for position, (update, tenant_id) in enumerate(updates)
    ]
    found: list[Found | None] = [None] * len(updates)
    for position, message_id, conversation_id in prepared.execute(_FIND, {"updates": json.dumps(rows)}):
        found[position] = Found(updates[position][0], message_id, conversation_id)
    for (update, _), result in zip(updates, found, strict=True):
        if result is None:
            logger.info("status %s of %s: not one of our messages", update.status, update.wamid)
    return found


@dataclass(slots=True)
class _Message:
    """The columns of a locked message that its updates change."""

    id: int
    conversation_id: int
    status: Status
    external_id: str | None
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None
    read_at: dt.datetime | None
    failed_at: dt.datetime | None
    error_code: int | None
    error_detail: str

    def apply(self, update: StatusUpdate, at: dt.datetime) -> None:
        """Never back: what ranks higher stays. The time of a state counts even if a later state came first."""
        to = Status(update.status)
        # Without a wamid, the process that sent it died before it wrote the wamid down.
        self.external_id = self.external_id or update.wamid
        if (column := TIMES.get(to)) and getattr(self, column) is None:
            setattr(self, column, at)
        if RANK.index(to) <= RANK.index(self.status):
            return
        self.status = to
        if to == Status.SENT:
            self.sent_at = self.sent_at or at
        if to == Status.FAILED:
            self.error_code, self.error_detail = update.error_code, update.error_detail


_LOCK = """
SELECT id, conversation_id, status, external_id, sent_at, delivered_at, read_at, failed_at, error_code, error_detail
FROM conversation_messages WHERE id = ANY (%(ids)s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
_SAVE = """
UPDATE conversation_messages m SET
    status = n.status, external_id = n.external_id, sent_at = n.sent_at, delivered_at = n.delivered_at,
    read_at = n.read_at, failed_at = n.failed_at, error_code = n.error_code, error_detail = n.error_detail
FROM jsonb_to_recordset(%(messages)s::jsonb) AS n(
    id bigint, status text, external_id text, sent_at timestamptz, delivered_at timestamptz, read_at timestamptz,
    failed_at timestamptz, error_code int, error_detail text)
WHERE m.id = n.id AND m.id = ANY (%(ids)s::bigint[])
"""


def apply(found: Iterable[Found], now: dt.datetime) -> None:
    """Advance these messages. Call it in a transaction that has locked their conversations."""
    updates: dict[int, list[StatusUpdate]] = {}
    for each in found:
        updates.setdefault(each.message_id, []).append(each.update)
    changed, moved = [], []
    for pk, conversation_id, status, *columns in prepared.execute(_LOCK, {"ids": list(updates)}) if updates else ():
        message = _Message(pk, conversation_id, Status(status), *columns)
        before = replace(message)
        # By rank: a message that was delivered isn't flagged as failed first.
        for update in sorted(updates[pk], key=lambda update: RANK.index(Status(update.status))):
            message.apply(update, min(update.at or now, now))
        if message != before:
            changed.append(message)
        if message.status != before.status:
            moved.append((message, before.status))
    if changed:
        rows = json.dumps([{name: getattr(each, name) for name in _Message.__slots__} for each in changed], default=str)
        prepared.execute(_SAVE, {"messages": rows, "ids": [message.id for message in changed]})
    _follow_up(moved)


def _follow_up(moved: Iterable[tuple[_Message, Status]]) -> None:
    """What follows from the new states for the conversations and the tenants' webhooks."""
    sent = []
    for message, former in moved:
        if message.status == Status.FAILED:
            handover.mark_needs_person(
                [message.conversation_id], f"A reply wasn't delivered: {message.error_detail}", kind=Kind.FAILED
            )
        if former in BEFORE_SENT:
            handover.clear_uncertain(message.id)
        if message.status != Status.FAILED and former not in SENT:
            sent.append(message.id)  # its sender may have died, or taken it for refused
    if sent:
        webhook_events.sent(sent)
