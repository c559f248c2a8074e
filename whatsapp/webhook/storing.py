"""Stores the items of many webhook bodies in one transaction.

Conversations are locked first, in the order of their IDs, those of status updates included. A batch skips rows that
another transaction holds: the bodies concerned leave the batch. A batch that fails on its data is split until the bad
item is alone and quarantined; its neighbours are stored.
"""

import datetime as dt
import enum
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from django.db import DatabaseError, IntegrityError, InterfaceError, transaction
from django.utils import timezone

from assistant.turns.opening import Opened
from conversations.history import contacts
from conversations.history import messages as history
from conversations.history.contacts import Contact, Locks, Renamed
from runtime import crashpoints, notify, prepared
from runtime.logs.context import about
from whatsapp.quarantine import store as quarantine
from whatsapp.quarantine.store import Quarantined

from . import effects, status_updates
from .effects import Stored
from .parsing import as_body
from .routing import Route, Router
from .status_updates import Found
from .types import Echo, InboundMessage, Item, Rejected, Signer, StatusUpdate, WebhookBody

logger = logging.getLogger(__name__)

# In a batch, a wait for a lock is everyone's wait.
SHORT_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '200ms', true)"
PARTS = 4  # in halves, a thousand messages with one bad one take half as long again
# Someone can be introduced in three ways (number, user ID, both), so at most three concurrent writers can conflict.
MAX_RETRIES = 3


# SQLSTATE classes that say nothing about the data: no state, the connection, the transaction or session, permissions,
# a schema that isn't migrated, resources, a server that shuts down. Anything else is about the data, even where psycopg
# calls it operational (54: too long a word for an index, say).
UNAVAILABLE = ("", "08", "25", "26", "28", "3D", "40", "42", "53", "55", "57", "58")


class CommitUnknown(Exception):
    """The connection was lost during COMMIT: the transaction may or may not be committed."""


class RowLocked(Exception):
    """Another transaction held a row for longer than `lock_timeout`."""


class Locking(enum.Enum):
    """What to do about rows that another transaction holds."""

    SKIP = "leave the conversation out; don't wait long for other rows"
    BRIEF = "don't wait long"
    WAIT = "wait for the connection's lock_timeout"


class Failure(enum.Enum):
    CONFLICT = "a concurrent transaction; the next attempt may succeed"
    LOCKED = "a row stayed locked"
    DATA = "PostgreSQL or our code refuses this data"
    UNAVAILABLE = "the database"


def failure_of(error: Exception) -> Failure:
    if isinstance(error, CommitUnknown):
        return Failure.UNAVAILABLE
    if isinstance(error, Renamed):
        return Failure.CONFLICT
    if not isinstance(error, DatabaseError | InterfaceError):
        return Failure.DATA
    cause = error.__cause__
    state = cause.sqlstate or "" if isinstance(cause, psycopg.Error) else ""
    if state in ("23505", "40001", "40P01"):  # unique violation, serialization failure, deadlock
        return Failure.CONFLICT
    if state == "55P03":
        return Failure.LOCKED
    return Failure.UNAVAILABLE if state[:2] in UNAVAILABLE else Failure.DATA


@dataclass(frozen=True, slots=True)
class SignedBody:
    """One delivery: its parsed body, and who signed it."""

    body: WebhookBody
    signer: Signer
    delivery: str | None = None  # for the logs: another delivery's thread may store it


@dataclass(frozen=True, slots=True)
class Outcome:
    is_busy: bool  # one of its conversations is locked: store this body alone
    rejected: Sequence[Rejected]


@dataclass(frozen=True, slots=True, eq=False)
class _Routed:
    """An item, the position of its body in the batch, and the tenant it belongs to."""

    item: Item
    body: int
    signer: Signer
    route: Route

    @property
    def tenant_id(self) -> int:
        assert self.route.tenant_id is not None  # noqa: S101 - without one, it's rejected before
        return self.route.tenant_id

    def rejected(self, reason: str) -> "_Routed":
        if isinstance(self.item, Rejected):
            return self
        field = "smb_message_echoes" if isinstance(self.item, Echo) else "messages"
        number, raw = self.item.phone_number_id, as_body(self.item)
        item = Rejected(reason=reason, field=field, phone_number_id=number, raw=raw)
        return _Routed(item, self.body, self.signer, self.route)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction stored, rejected, and left out because a conversation is locked."""

    stored: Sequence[Stored]
    rejected: Sequence[tuple[_Routed, Rejected]]
    busy: set[int]
    opened: Opened


class Batch:
    """One pass of storing. `quarantines`: whether rejected items are kept."""

    def __init__(self, bodies: Sequence[SignedBody], locking: Locking, *, quarantines: bool = True) -> None:
        self._bodies = bodies
        self._locking = locking
        self._quarantines = quarantines
        self._router = Router(item for signed in bodies for item in signed.body.items)
        self._busy: set[int] = set()
        self._rejected: defaultdict[int, list[Rejected]] = defaultdict(list)
        self._is_due = False

    def store(self) -> list[Outcome]:
        """Everything is committed when this returns.

        Raises RowLocked (unless locked rows are skipped), CommitUnknown, or the database's error if it's unavailable.
        """
        self._store([self._routed(item, at) for at, each in enumerate(self._bodies) for item in each.body.items])
        if self._is_due:
            _notify()
        return [Outcome(at in self._busy, tuple(self._rejected[at])) for at in range(len(self._bodies))]

    def _routed(self, item: Item, at: int) -> _Routed:
        signer = self._bodies[at].signer
        route = self._router.route(item, signer)
        routed = _Routed(item, at, signer, route)
        return routed.rejected(route.error) if route.error else routed

    def _store(self, items: Sequence[_Routed]) -> None:
        for attempt in range(MAX_RETRIES + 1):
            try:
                self._store_together(items)
                return
            except Exception as error:
                failure = failure_of(error)
                if failure is Failure.UNAVAILABLE:
                    raise
                if failure is Failure.CONFLICT and attempt < MAX_RETRIES:
                    continue
                if failure is Failure.DATA or isinstance(error, IntegrityError):
                    self._store_in_parts(items, error)
                elif self._locking is Locking.SKIP:
                    self._busy.update(routed.body for routed in items)
                else:
                    raise RowLocked(str(error)) from error
                return

    def _store_in_parts(self, items: Sequence[_Routed], error: Exception) -> None:
        if len(items) > 1:
            size = -(-len(items) // PARTS)
            for start in range(0, len(items), size):
                self._store(items[start : start + size])
        elif isinstance(items[0].item, Rejected):
            raise error
        else:
            logger.error("an item can't be stored; it is quarantined", exc_info=error)
            self._store([items[0].rejected(f"cannot be stored: {type(error).__name__}")])

    def _store_together(self, items: Sequence[_Routed]) -> None:
        is_committing = False
        try:
            with transaction.atomic():
                written = self._write(items)
                crashpoints.reach("C21")
                is_committing = True
        except (DatabaseError, InterfaceError) as error:
            if is_committing and failure_of(error) is Failure.UNAVAILABLE:
                raise CommitUnknown(str(error)) from error
            raise
        crashpoints.reach("C22")
        self._busy |= written.busy
        self._is_due |= written.opened.is_due
        for routed, rejected in written.rejected:
            self._rejected[routed.body].append(rejected)
        deliveries = {id(routed.item): self._bodies[routed.body].delivery for routed in items}
        for new in written.stored:
            side, pk = "business" if isinstance(new.item, Echo) else "user", new.conversation.id
            about_it = about(
                delivery_id=deliveries[id(new.item)],
                conversation_id=pk,
                message_id=new.row.id,
                turn_id=written.opened.turns.get(pk),
            )
            logger.info("[WA][CHAT] conv_id=%s stored %s msg", pk, side, extra=about_it)

    def _write(self, items: Sequence[_Routed]) -> _Written:
        now, skip = timezone.now(), self._locking is Locking.SKIP
        if self._locking is not Locking.WAIT:
            prepared.execute(SHORT_LOCK_TIMEOUT, {})
        messages = {
            routed: effects.contact(routed.item, routed.tenant_id, now)
            for routed in items
            if isinstance(routed.item, InboundMessage | Echo)
        }
        statuses = _find(items)
        locks = contacts.lock(messages.values(), [each.conversation_id for each in statuses.values()], skip=skip)
        busy = {routed.body for routed, contact in messages.items() if contact in locks.busy}
        if skip:  # otherwise, a missing conversation was deleted
            busy |= {routed.body for routed, each in statuses.items() if each.conversation_id not in locks.ids}
        stored, foreign = _store_messages(
            {routed: contact for routed, contact in messages.items() if routed.body not in busy}, locks, now
        )
        crashpoints.reach("C4")
        opened = effects.carry_out(stored) if stored else Opened()
        ready = [routed for routed in items if routed.body not in busy]
        status_updates.apply([statuses[routed] for routed in ready if routed in statuses], now)
        rejected = [(routed, routed.item) for routed in [*ready, *foreign] if isinstance(routed.item, Rejected)]
        if self._quarantines:
            quarantine.keep(Quarantined(item, routed.route.tenant_id, routed.signer) for routed, item in rejected)
        self._router.note_deliveries((routed.item, routed.route) for routed in ready)
        return _Written(stored, rejected, busy, opened)


def _find(items: Iterable[_Routed]) -> dict[_Routed, Found]:
    updates = [(routed, routed.item) for routed in items if isinstance(routed.item, StatusUpdate)]
    found = status_updates.find([(update, routed.tenant_id) for routed, update in updates])
    return {routed: each for (routed, _), each in zip(updates, found, strict=True) if each}


def _store_messages(
    messages: Mapping[_Routed, Contact], locks: Locks, now: dt.datetime
) -> tuple[list[Stored], list[_Routed]]:
    """The messages that were new, and those whose conversation belongs to another tenant, rejected."""
    ours = [contact for contact in messages.values() if not locks.known[contact].is_foreign_to(contact.tenant_id)]
    saved = contacts.save(ours, locks.known)
    foreign = [routed.rejected("conversation of another tenant") for routed, c in messages.items() if c not in saved]
    found = [
        (routed.item, saved[contact], routed.signer)
        for routed, contact in messages.items()
        if contact in saved and isinstance(routed.item, InboundMessage | Echo)
    ]
    rows = history.store([effects.new_message(*each, now) for each in found])
    return [Stored(item, row) for (item, *_), row in zip(found, rows, strict=True) if row], foreign


def _notify() -> None:
    """Wake the workers. The batch is committed: a failure here only delays the reply by a second."""
    try:
        notify.notify_workers()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the workers were not notified: %s", error)
