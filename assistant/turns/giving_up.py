"""The last resort for a turn that can't be closed: it fails immediately, with the reason."""

import logging
from collections.abc import Callable

from django.db import transaction
from django.db.models.functions import Now

from assistant.models import Turn
from conversations import handover
from conversations.history.messages import insert_messages
from conversations.models import ClockTimestamp, Conversation
from conversations.outbox import queue as outbox

from .closing import Ending, FinishedTurn, in_outage, is_mine, record
from .policy import add_tokens, failure_flag, silence_of

logger = logging.getLogger(__name__)

LEDGER = (
    *("model", "instructions_hash", "seconds", "prompt_tokens", "cached_tokens", "completion_tokens"),
    *("usage_estimated", "cost"),
)


def give_up(finished: FinishedTurn, error: str) -> Ending:
    """Fail a turn, with the fallback text and a flag.

    Each step has a savepoint: whatever it was that couldn't be written, the others are. Only the turn's end must be.
    """
    claim = finished.claim
    with transaction.atomic():
        turns = Turn.objects.select_related("conversation__tenant").select_for_update(of=("self", "conversation"))
        turn = turns.filter(pk=claim.turn_id).first()
        if turn is None or not is_mine(turn, claim):
            return Ending.FENCED
        conversation_id, silence = turn.conversation_id, silence_of(turn.conversation)
        _attempt(turn, lambda: _record(turn, finished))
        _attempt(turn, lambda: add_tokens(claim.tenant_id, finished.tokens))
        is_told = turn.outcome == Ending.FALLBACK  # it was reopened
        turn.outcome = Ending.FALLBACK if is_told else Ending.SILENT
        turn.state, turn.error, turn.lease_until = Turn.State.FAILED, error, None
        if text := "" if silence or in_outage([conversation_id]) else claim.assistant.fallback_text:
            _attempt(turn, lambda: _send(turn, text))
        flag, flagged = failure_flag(error), Conversation.objects.filter(pk=conversation_id)
        if not _attempt(turn, lambda: handover.mark_needs_person([conversation_id], flag)):
            # Without its webhook event.
            _attempt(turn, lambda: flagged.update(needs_person=flag, needs_person_since=Now()))
        turn.save(update_fields=["state", "outcome", "error", "lease_until", "first_reply", "last_reply"])
        Turn.objects.filter(pk=turn.pk).update(finished_at=Now())
    return Ending(turn.outcome)


def _attempt(turn: Turn, step: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            step()
    except Exception:
        logger.exception("turn %s: a step of giving it up failed", turn.pk)
        return False
    return True


def _record(turn: Turn, finished: FinishedTurn) -> None:
    if finished.outcome:
        record(turn, finished.claim, finished.outcome)
        turn.save(update_fields=LEDGER)


def _send(turn: Turn, text: str) -> None:
    Conversation.objects.filter(pk=turn.conversation_id).update(
        last_message_at=ClockTimestamp(), updated_at=ClockTimestamp()
    )
    sent = insert_messages(outbox.messages_for(turn.conversation, text))
    turn.first_reply_id, turn.last_reply_id, turn.outcome = sent[0].pk, sent[-1].pk, Ending.FALLBACK
