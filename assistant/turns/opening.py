"""The life of a turn: opened, claimed, given back. `assistant.turns.closing` ends it.

Rows are the truth and jobs are wake-ups: everything here is safe to run twice, late, or not at all.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Now, TruncDate
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from assistant.model import context
from assistant.models import Assistant, Turn
from conversations import handover
from conversations.files import attachments
from conversations.history.messages import get_last_messages
from conversations.models import Conversation, lock
from runtime import prepared
from runtime.clock import ago, from_now

from . import attachment_wait
from .claiming import Taken, take

MAX_ATTEMPTS = 5  # leases lost; a turn that kills its workers must not do so for ever
SWEPT_AT_ONCE = 500
WAKE_AGAIN_SECONDS = 60
MARGIN = dt.timedelta(minutes=2)  # of the 24-hour window: the way to Meta takes time


@dataclass(frozen=True, slots=True)
class UnansweredMessage:
    """A stored message for the assistant to answer."""

    conversation_id: int
    message_id: int
    at_once: bool  # a tap on a button: nothing more will follow


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to generate one reply, until the lease ends or somebody else holds a later generation."""

    turn_id: int
    generation: int
    conversation_id: int
    tenant_id: int | None
    assistant: Assistant
    messages: list[dict[str, object]]  # for the model, oldest first
    seen_ids: list[int]  # of the rows behind them, all kinds
    phone_number_id: str
    answers: str  # wamid of the customer's newest message; '' when it has none
    asked: str  # wamid of the newest one that can be quoted
    several: bool  # other messages are open besides, or something stands after it: a reply says what it answers


_OPEN = """
INSERT INTO turns AS t (tenant_id, conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
SELECT c.tenant_id, s.conversation_id, s.first_id, s.last_id,
    statement_timestamp() + CASE WHEN s.at_once THEN interval '0' ELSE
        LEAST(COALESCE(a.quiet_seconds, %(quiet)s), COALESCE(a.max_wait_seconds, %(max_wait)s)) * interval '1 second'
    END,
    statement_timestamp() + COALESCE(a.max_wait_seconds, %(max_wait)s) * interval '1 second'
FROM jsonb_to_recordset(%(bursts)s::jsonb) AS s(
    conversation_id bigint, first_id bigint, last_id bigint, at_once boolean)
JOIN conversations c ON c.id = s.conversation_id
LEFT JOIN assistants a ON a.tenant_id = c.tenant_id
ORDER BY s.conversation_id
ON CONFLICT (conversation_id) WHERE state IN ('collecting', 'generating') DO UPDATE SET
    last_message_id = GREATEST(t.last_message_id, EXCLUDED.last_message_id),
    due_at = CASE t.state WHEN 'collecting' THEN LEAST(EXCLUDED.due_at, t.latest_due_at) ELSE t.due_at END
RETURNING state = 'collecting' AND due_at <= statement_timestamp()
"""


def open_for(messages: Sequence[UnansweredMessage]) -> bool:
    """Open a turn for these messages, or add them to the open one. True if one of the turns is due now.

    Call it in the transaction that stores the messages, with the conversations locked.
    """
    bursts: defaultdict[int, list[UnansweredMessage]] = defaultdict(list)
    for message in messages:
        bursts[message.conversation_id].append(message)
    if not bursts:
        return False
    rows = [
        {
            "conversation_id": conversation_id,
            "first_id": burst[0].message_id,
            "last_id": burst[-1].message_id,
            "at_once": burst[-1].at_once,
        }
        for conversation_id, burst in bursts.items()
    ]
    turns = prepared.execute(
        _OPEN,
        {
            "bursts": json.dumps(rows),
            "quiet": float(settings.TURN_QUIET_SECONDS),
            "max_wait": float(settings.TURN_MAX_WAIT_SECONDS),
        },
    )
    return any(is_due for (is_due,) in turns)


def wake(turns: Iterable[tuple[int, dt.datetime | None]]) -> None:
    """Defer the answering of these turns (id, when), on Django's connection: row and job live or die together."""
    by_time: defaultdict[dt.datetime | None, list[dict[str, JSONValue]]] = defaultdict(list)
    for pk, at in turns:
        by_time[at].append({"turn_id": pk})
    for at, jobs in by_time.items():
        app.configure_task("assistant.tasks.answer", schedule_at=at).batch_defer(*jobs)


class NoPlace(Exception):
    """The tenant has all the places in this process that one may have: the turn stays due."""

    def __init__(self, tenant_id: int | None) -> None:
        super().__init__(tenant_id)
        self.tenant_id = tenant_id


def claim(turn_id: int, full: Collection[int | None] = ()) -> Claim | None:
    """Take a due turn: *collecting* to *generating*, with a lease. None when there is nothing to do for this job.

    `full`: the tenants without a place. Raises NoPlace for a turn of theirs.
    """
    if full:
        for tenant_id in Turn.objects.filter(pk=turn_id).values_list("conversation__tenant_id", flat=True):
            if tenant_id in full:
                raise NoPlace(tenant_id)
    taken = take(turn_id)
    if taken is None:
        _come_back_later(turn_id)
        return None
    if reason := why_silent(taken.conversation) or over_budget(taken.assistant, taken.conversation.tenant_id):
        _be_silent(taken, reason)
        return None
    return _load(taken)


def mine(turn_id: int, generation: int) -> Turn | None:
    """The turn, locked, while this generation of it is the one that counts. Lock the conversation before."""
    held = Turn.objects.filter(pk=turn_id, state=Turn.State.GENERATING, generation=generation)
    return held.select_for_update().first()


def _be_silent(taken: Taken, reason: str) -> None:
    with transaction.atomic():
        lock(pk=taken.conversation.pk)
        if held := mine(taken.turn_id, taken.generation):
            suppress(held, reason)


def release(claim: Claim) -> None:
    """Give a claimed turn back untouched and without a wake-up: this process has no place for it yet."""
    held = Turn.objects.filter(pk=claim.turn_id, state=Turn.State.GENERATING, generation=claim.generation)
    held.update(state=Turn.State.COLLECTING, lease_until=None, due_at=Now())


def _come_back_later(turn_id: int) -> None:
    """A further message moved the turn after its job was deferred, or a file of it is still on its way."""
    later = Turn.objects.filter(pk=turn_id, state=Turn.State.COLLECTING).annotate(newest=attachment_wait.newest_file())
    wake((pk, attachment_wait.until(due, newest)) for pk, due, newest in later.values_list("id", "due_at", "newest"))


def _load(taken: Taken) -> Claim:
    conversation, assistant = taken.conversation, taken.assistant
    history = get_last_messages(conversation.pk, limit=assistant.history_limit)
    theirs = [message for message in history if message.role == "user" and message.external_id]
    spoken = [message for message in history if message.kind not in context.SILENT]
    asked = [message for message in spoken if message in theirs]
    open_ones = [message for message in asked if message.pk >= taken.first_message_id]
    return Claim(
        turn_id=taken.turn_id,
        generation=taken.generation,
        conversation_id=conversation.pk,
        tenant_id=conversation.tenant_id,
        assistant=assistant,
        messages=context.build(history, taken.first_message_id, attachments.of(history), assistant.sees_images),
        seen_ids=[message.pk for message in history],
        phone_number_id=conversation.phone_number_id,
        answers=(theirs[-1].external_id or "") if theirs else "",
        asked=(asked[-1].external_id or "") if asked else "",
        several=bool(asked) and (spoken[-1] is not asked[-1] or len(open_ones) > 1),
    )


def assistant_of(conversation: Conversation) -> Assistant:
    """The tenant's assistant, or one with the defaults."""
    return getattr(conversation.tenant, "assistant", None) or Assistant(tenant=conversation.tenant)


def why_silent(conversation: Conversation, margin: dt.timedelta = MARGIN) -> str:
    """Why the assistant says nothing here; '' when it may speak."""
    if conversation.handled_by == Conversation.Handler.OPERATOR:
        return "a person took over"
    if not conversation.is_active:
        return "conversation inactive"
    if conversation.tenant is not None and not conversation.tenant.is_active:
        return "tenant inactive"
    if not conversation.window_is_open(margin):
        return "window closed"
    return ""


def over_budget(assistant: Assistant, tenant_id: int | None) -> str:
    if assistant.daily_token_limit is None:
        return ""
    today = Turn.objects.filter(conversation__tenant=tenant_id, opened_at__gte=TruncDate(Now()))
    spent = today.aggregate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")))["tokens"] or 0
    return "out of budget" if spent >= assistant.daily_token_limit else ""


def suppress(turn: Turn, reason: str) -> None:
    """End a turn without a reply; where a person must step in, say so."""
    finish(turn, Turn.State.SUPPRESSED, outcome=reason)
    if reason in ("window closed", "out of budget"):
        handover.mark_needs_person([turn.conversation_id], f"The assistant did not answer: {reason}.")


def finish(turn: Turn, state: Turn.State, **columns: object) -> None:
    """End a locked turn, with what its ledger holds by now."""
    _write(turn, state=state, finished_at=Now(), **columns)


def _write(turn: Turn, **columns: object) -> None:
    ledger = {name: getattr(turn, name) for name in Turn.LEDGER}
    Turn.objects.filter(pk=turn.pk).update(lease_until=None, **{**ledger, **columns})


def collect_again(turn: Turn, seconds: float, **columns: object) -> None:
    """Back to *collecting*, due again in so many seconds."""
    due = from_now(seconds)
    _write(turn, state=Turn.State.COLLECTING, due_at=due, **columns)
    wake(Turn.objects.filter(pk=turn.pk).values_list("id", "due_at"))


def sweep() -> int:
    """Find what fell asleep: due turns that nobody fetched, and turns whose worker is gone. How many."""
    lost = Turn.objects.filter(state=Turn.State.GENERATING, lease_until__lt=Now())
    taken_back = sum(_take_back(turn) for turn in lost.order_by("id")[:SWEPT_AT_ONCE])
    with transaction.atomic():
        due = Turn.objects.filter(
            Q(woken_at__isnull=True) | Q(woken_at__lt=ago(WAKE_AGAIN_SECONDS * settings.RETRY_TIME_SCALE)),
            state=Turn.State.COLLECTING,
            due_at__lt=ago(settings.SWEEP_SECONDS / 3),
        )
        asleep = list(
            due.select_for_update(skip_locked=True).order_by("id").values_list("id", flat=True)[:SWEPT_AT_ONCE]
        )
        Turn.objects.filter(pk__in=asleep).update(woken_at=Now())
        wake((pk, None) for pk in asleep)
    return taken_back + len(asleep)


def _take_back(turn: Turn) -> bool:
    """The worker of this turn is dead, frozen or cut off: the turn may start again, but not for ever."""
    with transaction.atomic():
        lock(pk=turn.conversation_id)
        held = mine(turn.pk, turn.generation)
        if held:
            _start_again_or_give_up(held)
    return held is not None


def _start_again_or_give_up(turn: Turn) -> None:
    if turn.attempts + 1 < MAX_ATTEMPTS:
        collect_again(turn, 0, attempts=F("attempts") + 1)
        return
    finish(
        turn,
        Turn.State.FAILED,
        attempts=F("attempts") + 1,
        outcome="worker lost",
        error=f"{MAX_ATTEMPTS} workers ended before the reply.",
    )
    handover.mark_needs_person(
        [turn.conversation_id], "The assistant did not answer: its worker ended again and again."
    )
