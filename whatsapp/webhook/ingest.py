"""Stores every delivery, with a group commit across the threads of this process."""

import contextlib
import threading
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError

from runtime import crashpoints
from runtime.database import retry_on_new_connection
from runtime.group_commit import GroupCommit, NotStored
from runtime.logs import context
from whatsapp.models import QuarantinedEvent
from whatsapp.quarantine import store as quarantine

from .parsing import parse
from .storing import Batch, CommitUnknown, Locking, Outcome, RowLocked, SignedBody
from .types import Signer, WebhookBody

MAX_ROWS = 500  # per transaction, unless one delivery has more
PATIENCE_SECONDS = 10.0  # Meta doesn't wait longer
# A thread that waits for a locked row can't serve others, so only a few may wait.
MAX_WAITING = 4
WAITING_TURN_SECONDS = 2.0


def _store_group(bodies: Sequence[SignedBody]) -> Sequence[Outcome]:
    crashpoints.reach("C20")
    return retry_on_new_connection(lambda: Batch(bodies, Locking.SKIP).store())


_group: GroupCommit[SignedBody, Outcome] = GroupCommit(_store_group, max_size=MAX_ROWS, patience=PATIENCE_SECONDS)
_waiting = threading.BoundedSemaphore(MAX_WAITING)


def accept(body: WebhookBody, signer: Signer) -> None:
    """Store a delivery, or quarantine what can't be stored. Everything is committed when this returns. Raises NotStored
    if Meta has to deliver it again; what is already stored is then recognised.
    """
    request = context.current().get("request_id")
    signed = SignedBody(body, signer, str(request) if request else None)
    if not _group.add(signed, size=len(body.items)).is_busy:
        return
    with contextlib.suppress(RowLocked):
        _store_alone(signed, Locking.BRIEF)
        return
    if not _waiting.acquire(timeout=WAITING_TURN_SECONDS):
        raise NotStored("Its conversation is locked, and so are others.")
    try:
        _store_alone(signed, Locking.WAIT)
    except RowLocked as error:
        raise NotStored(repr(error)) from error
    finally:
        _waiting.release()


def replay(event: QuarantinedEvent) -> str:
    """Try a quarantined event again, as its signer sent it: '' if it's stored now, else the reason why not.

    Raises NotStored if the database is unavailable, RowLocked if its conversation is locked.
    """
    signer = Signer(None if event.signed_by is None else frozenset(event.signed_by))
    signed = SignedBody(parse(event.raw), signer)
    is_one = len(signed.body.items) == 1
    # If only some of several items are rejected, they get rows of their own.
    outcome = _store_alone(signed, Locking.WAIT, quarantines=not is_one)
    if is_one and outcome.rejected:
        return outcome.rejected[0].reason
    quarantine.resolve(event)
    return ""


def _store_alone(signed: SignedBody, locking: Locking, *, quarantines: bool = True) -> Outcome:
    try:
        return retry_on_new_connection(lambda: Batch([signed], locking, quarantines=quarantines).store()[0])
    except (DatabaseError, InterfaceError, CommitUnknown) as error:
        raise NotStored(repr(error)) from error
