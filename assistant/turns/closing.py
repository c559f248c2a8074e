"""Closing turns, in one transaction that also checks what changed while the model was thinking."""

import datetime as dt
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from assistant.model import answers, prices
from assistant.model.retries import Outcome
from assistant.models import Turn
from conversations import handover
from conversations.history.messages import insert_messages
from conversations.models import ClockTimestamp, Conversation, ConversationMessage
from conversations.outbox import queue as outbox
from runtime import crashpoints

from . import opening
from .claiming import MAX_LOST_LEASES, ClaimedTurn
from .opening import UnansweredMessage
from .policy import NEEDS_PERSON, Silence, silence_of

logger = logging.getLogger(__name__)

MAX_SUPERSEDED = 2
LONGEST_POSTPONEMENT = 600  # seconds after the turn was opened


class Ending(StrEnum):
    """How a claim ended."""

    REPLIED = "replied"
    FALLBACK = "fallback"  # the model failed; the customer got the fallback text
    SILENT = "silent"  # the model failed, without a text for the customer
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"  # a newer message came: collecting again
    POSTPONED = "postponed"  # the model is rate-limited: collecting again
    FENCED = "fenced"  # someone else holds a later generation; nothing was written


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A claimed turn and its result. outcome: None if the model wasn't called. error: our own error, as text."""

    claim: ClaimedTurn
    outcome: Outcome | None = None
    error: str = ""


@dataclass(slots=True)
class _Batch:
    """What a transaction will write."""

    now: dt.datetime  # by the database's clock, which decides what is due
    replies: list[tuple[Turn, list[ConversationMessage]]] = field(default_factory=list)
    ended: list[Turn] = field(default_factory=list)
    tokens: Counter[int] = field(default_factory=Counter)
    flags: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unanswered: list[UnansweredMessage] = field(default_factory=list)


def complete_turns(finished: Sequence[FinishedTurn]) -> list[Ending | None]:
    """End these turns in one transaction: reply, fallback text, silence, or back to collecting.

    None for a turn whose conversation or row is locked: nothing was written for it, try again.
    """
    with transaction.atomic():
        held = (
            Turn.objects.filter(pk__in=[each.claim.turn_id for each in finished])
            .select_related("conversation__tenant")
            .select_for_update(of=("self", "conversation"), skip_locked=True)
            .annotate(now=Now())
            .order_by("conversation_id")
        )
        turns = {turn.pk: turn for turn in held}
        in_outage = _in_outage([turn.conversation_id for turn in turns.values()], finished)
        batch = _Batch(now=held[0].now if held else dt.datetime.max)
        endings = [_end(batch, each, turns.get(each.claim.turn_id), in_outage) for each in finished]
        _write(batch)
    for each, ending in zip(finished, endings, strict=True):
        if ending == Ending.FENCED:
            logger.warning("turn %s: fenced, generation %s is over", each.claim.turn_id, each.claim.generation)
        elif ending is not None:
            logger.info("[WA][CHAT] conv_id=%s turn %s: %s", each.claim.conversation_id, each.claim.turn_id, ending)
    return endings


def _end(batch: _Batch, finished: FinishedTurn, turn: Turn | None, in_outage: set[int]) -> Ending | None:
    claim, outcome = finished.claim, finished.outcome
    if turn is None:
        return None
    if not is_mine(turn, claim):
        return Ending.FENCED
    if outcome is not None:
        _enter(batch, turn, claim, outcome)
    if silence := silence_of(turn.conversation) or (claim.silence if outcome is None else None):
        return _suppress(batch, turn, silence)
    if claim.is_exhausted or finished.error:
        turn.error = finished.error or f"{MAX_LOST_LEASES} workers stopped before they could reply."
    elif outcome is None:  # the assistant had to be silent when the turn was claimed, but no longer does
        return _collect_again(batch, turn, 0, Ending.SUPERSEDED)
    elif outcome.completion is not None:
        return _answer(batch, turn, claim, outcome.completion.text)
    elif outcome.postpone_seconds is not None and _age(batch, turn) + outcome.postpone_seconds <= LONGEST_POSTPONEMENT:
        return _collect_again(batch, turn, outcome.postpone_seconds, Ending.POSTPONED)
    return _fail(batch, turn, claim, in_outage)


def _answer(batch: _Batch, turn: Turn, claim: ClaimedTurn, text: str) -> Ending:
    if _must_reconsider(batch, turn, claim):
        turn.superseded += 1
        return _collect_again(batch, turn, _quiet_seconds(batch, turn, claim), Ending.SUPERSEDED)
    quoted = claim.quotable if claim.is_ambiguous or _is_unseen(turn, claim) else ""
    _reply(batch, turn, text, quoted)
    return _finish(batch, turn, claim, Turn.State.REPLIED, Ending.REPLIED)


def is_mine(turn: Turn, claim: ClaimedTurn) -> bool:
    """Whether this claim still holds the turn."""
    return turn.state == Turn.State.GENERATING and turn.generation == claim.generation


def _enter(batch: _Batch, turn: Turn, claim: ClaimedTurn, outcome: Outcome) -> None:
    """Record what was shown and what it cost, including dropped drafts."""
    completion = outcome.completion
    turn.seen_messages = claim.seen_ids
    turn.model = completion.model if completion else answers.short_name(claim.assistant.model_name)
    turn.instructions_hash = claim.assistant.instructions_hash
    turn.seconds = (turn.seconds or 0) + outcome.seconds
    turn.usage_estimated |= outcome.cost_unknown
    for answer in (*outcome.unused, *([completion] if completion else [])):
        turn.prompt_tokens += answer.prompt_tokens
        turn.cached_tokens += answer.cached_tokens
        turn.completion_tokens += answer.completion_tokens
        turn.usage_estimated |= answer.usage_estimated
        turn.cost = prices.add(turn.cost, answer)
        batch.tokens[claim.tenant_id] += answer.prompt_tokens + answer.completion_tokens
    turn.error = outcome.failure.detail if outcome.failure else ""


def _suppress(batch: _Batch, turn: Turn, silence: Silence) -> Ending:
    turn.state, turn.outcome = Turn.State.SUPPRESSED, silence
    if silence in NEEDS_PERSON:
        batch.flags[f"The assistant didn't reply. {silence.label}."].append(turn.conversation_id)
    batch.ended.append(turn)
    return Ending.SUPPRESSED


def _collect_again(batch: _Batch, turn: Turn, seconds: float, ending: Ending) -> Ending:
    turn.state, turn.due_at = Turn.State.COLLECTING, batch.now + dt.timedelta(seconds=seconds)
    batch.ended.append(turn)
    return ending


def _finish(batch: _Batch, turn: Turn, claim: ClaimedTurn, state: Turn.State, ending: Ending) -> Ending:
    turn.state, turn.outcome = state, ending
    batch.ended.append(turn)
    if _is_unseen(turn, claim):
        batch.unanswered += _split_off_unseen(turn, claim)
    return ending


def _reply(batch: _Batch, turn: Turn, text: str, quoted: str = "") -> None:
    batch.replies.append((turn, outbox.messages_for(turn.conversation, text, reply_to=quoted)))


def _fail(batch: _Batch, turn: Turn, claim: ClaimedTurn, in_outage: set[int]) -> Ending:
    """Send the fallback text, at most once per conversation and outage, and flag the conversation."""
    ending = Ending.SILENT
    text = claim.assistant.fallback_text
    if text and turn.conversation_id not in in_outage:
        _reply(batch, turn, text)
        ending = Ending.FALLBACK
    batch.flags[f"The assistant didn't reply: {turn.error or 'the model failed.'}"].append(turn.conversation_id)
    return _finish(batch, turn, claim, Turn.State.FAILED, ending)


def _is_unseen(turn: Turn, claim: ClaimedTurn) -> bool:
    """Whether a message came that the model wasn't shown."""
    return bool(claim.seen_ids) and turn.last_message_id > max(claim.seen_ids)


def _must_reconsider(batch: _Batch, turn: Turn, claim: ClaimedTurn) -> bool:
    """A newer message came: the draft is dropped, at most twice, and after the longest wait at most once."""
    allowed = MAX_SUPERSEDED if batch.now < turn.latest_due_at else 1
    return _is_unseen(turn, claim) and turn.superseded < allowed


def _quiet_seconds(batch: _Batch, turn: Turn, claim: ClaimedTurn) -> float:
    """How long to wait for more messages, never past the longest wait."""
    quiet = claim.assistant.quiet_seconds
    left = (turn.latest_due_at - batch.now).total_seconds()
    return max(0.0, min(settings.TURN_QUIET_SECONDS if quiet is None else quiet, left))


def _age(batch: _Batch, turn: Turn) -> float:
    return (batch.now - turn.opened_at).total_seconds()


def _split_off_unseen(turn: Turn, claim: ClaimedTurn) -> list[UnansweredMessage]:
    """Messages that came too late for this reply belong to the next turn."""
    theirs = ConversationMessage.objects.filter(
        conversation_id=turn.conversation_id, role="user", id__lte=turn.last_message_id
    ).order_by("id")
    seen = max(claim.seen_ids)
    newer = list(theirs.filter(id__gt=seen).values_list("id", flat=True))
    if newer and (last := theirs.filter(id__lte=seen).values_list("id", flat=True).last()):
        turn.last_message_id = last
    return [UnansweredMessage(turn.conversation_id, pk, at_once=False) for pk in newer]


def _in_outage(conversation_ids: Sequence[int], finished: Sequence[FinishedTurn]) -> set[int]:
    """The conversations whose customers got the fallback text after the last reply."""
    if all(each.outcome is not None and each.outcome.completion is not None for each in finished):
        return set()
    ended = Turn.objects.filter(
        conversation_id__in=conversation_ids, outcome__in=[Ending.REPLIED, Ending.FALLBACK]
    ).order_by("conversation_id", "-opened_at", "-id")
    last = ended.distinct("conversation_id").values_list("conversation_id", "outcome")
    return {conversation_id for conversation_id, outcome in last if outcome == Ending.FALLBACK}


_UPDATE = """
WITH used AS (
    INSERT INTO daily_usage AS u (tenant_id, day, tokens)
    SELECT key::bigint, (statement_timestamp() AT TIME ZONE 'UTC')::date, value::bigint
    FROM jsonb_each_text(%(tokens)s) ORDER BY 1
    ON CONFLICT (tenant_id, day) DO UPDATE SET tokens = u.tokens + EXCLUDED.tokens
)
UPDATE turns AS t SET state = n.state, due_at = n.due_at, lease_until = NULL, superseded = n.superseded,
    seen_messages = n.seen_messages, model = n.model, instructions_hash = n.instructions_hash, seconds = n.seconds,
    prompt_tokens = n.prompt_tokens, cached_tokens = n.cached_tokens, completion_tokens = n.completion_tokens,
    usage_estimated = n.usage_estimated, cost = n.cost, outcome = n.outcome, error = n.error,
    first_reply_id = n.first_reply_id, last_reply_id = n.last_reply_id, last_message_id = n.last_message_id,
    finished_at = CASE WHEN n.state <> 'collecting' THEN statement_timestamp() END
FROM jsonb_populate_recordset(NULL::turns, %(turns)s) AS n WHERE t.id = n.id
"""
_WRITTEN = (
    *("id", "state", "due_at", "superseded", "seen_messages", "model", "instructions_hash", "seconds"),
    *("prompt_tokens", "cached_tokens", "completion_tokens", "usage_estimated", "cost", "outcome", "error"),
    *("first_reply_id", "last_reply_id", "last_message_id"),
)


def _write(batch: _Batch) -> None:
    """Run each statement once for all turns."""
    if batch.replies:
        # The conversation's lock keeps the order of its messages the order of their ids.
        Conversation.objects.filter(pk__in=[turn.conversation_id for turn, _ in batch.replies]).update(
            last_message_at=ClockTimestamp(), updated_at=ClockTimestamp()
        )
        insert_messages([message for _, messages in batch.replies for message in messages])
    for turn, messages in batch.replies:
        if messages:
            turn.first_reply_id, turn.last_reply_id = messages[0].pk, messages[-1].pk
    if batch.ended:
        rows = [{name: getattr(turn, name) for name in _WRITTEN} for turn in batch.ended]
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, {"tokens": json.dumps(batch.tokens), "turns": json.dumps(rows, default=str)})
    for reason, conversation_ids in batch.flags.items():
        handover.mark_needs_person(conversation_ids, reason)
    opening.open_for(batch.unanswered)
    crashpoints.reach("C23")
