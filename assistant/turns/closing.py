"""The gate: the one transaction in which a turn ends. What changed while the model was thinking is seen here."""

import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from assistant.model import prices
from assistant.model.retries import Outcome
from assistant.models import Turn
from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import queue as outbox

from . import opening
from .opening import Claim, UnansweredMessage

logger = logging.getLogger(__name__)

MAX_SUPERSEDED = 2
LONGEST_POSTPONEMENT = 600  # seconds after the turn was opened


@dataclass(frozen=True, slots=True)
class Closed:
    """How it ended, in a word; and the first message of the reply, which is queued and now to be delivered."""

    word: str
    to_deliver: int | None = None


def close(claim: Claim, outcome: Outcome) -> Closed:
    """End the claimed turn: reply, fallback, silence, or back to collecting.

    The reply and the turn's entry are written together or not at all. The reply gets no job: who closed the turn
    delivers it at once, and when he dies before that the sweep finds it.
    """
    with transaction.atomic():
        conversation = (
            Conversation.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=claim.conversation_id)
        )
        turn = opening.mine(claim.turn_id, claim.generation)
        if turn is None:
            logger.warning("turn %s: fenced, generation %s is over", claim.turn_id, claim.generation)
            return Closed("fenced")
        _enter(turn, claim, outcome)
        if reason := opening.why_silent(conversation):
            opening.suppress(turn, reason)
            return Closed("suppressed")
        if outcome.completion is None:
            return _failed(turn, claim, conversation, outcome)
        if _must_reconsider(turn, claim):
            opening.collect_again(turn, _quiet(turn, claim), superseded=F("superseded") + 1)
            return Closed("superseded")
        quoted = claim.asked if claim.several or _unseen(turn, claim) else ""
        first = _reply(turn, conversation, outcome.completion.text, Turn.State.REPLIED, "replied", quoted)
        _open_for_unseen(turn, claim)
        return Closed("replied", first)


def _enter(turn: Turn, claim: Claim, outcome: Outcome) -> None:
    """The ledger: what was shown and what it cost, drafts that were dropped included. Saved with the turn's end."""
    completion = outcome.completion
    turn.seen_messages = claim.seen_ids
    turn.model = completion.model if completion else claim.assistant.model_name
    turn.instructions_hash = claim.assistant.instructions_hash
    turn.seconds = (turn.seconds or 0) + outcome.seconds
    turn.usage_estimated |= outcome.cost_unknown
    if completion:
        turn.prompt_tokens += completion.prompt_tokens
        turn.cached_tokens += completion.cached_tokens
        turn.completion_tokens += completion.completion_tokens
        turn.usage_estimated |= completion.usage_estimated
        turn.cost = prices.add(turn.cost, completion)
    turn.error = outcome.failure.detail if outcome.failure else ""


def _unseen(turn: Turn, claim: Claim) -> bool:
    return turn.last_message_id > max(claim.seen_ids, default=0)


def _must_reconsider(turn: Turn, claim: Claim) -> bool:
    """A newer message came: the draft is dropped, at most twice, and once the longest wait is over at most once."""
    allowed = MAX_SUPERSEDED if timezone.now() < turn.latest_due_at else 1
    return _unseen(turn, claim) and turn.superseded < allowed


def _quiet(turn: Turn, claim: Claim) -> float:
    """Seconds to wait for more; never past the longest wait."""
    quiet = claim.assistant.quiet_seconds
    left = (turn.latest_due_at - timezone.now()).total_seconds()
    return max(0, min(settings.TURN_QUIET_SECONDS if quiet is None else quiet, left))


def _reply(
    turn: Turn, conversation: Conversation, text: str, state: Turn.State, outcome: str, quoted: str = ""
) -> int | None:
    sent = outbox.queue(conversation, text, reply_to=quoted)
    opening.finish(
        turn, state, outcome=outcome, first_reply=sent[0] if sent else None, last_reply=sent[-1] if sent else None
    )
    return sent[0].pk if sent else None


def _open_for_unseen(turn: Turn, claim: Claim) -> None:
    """What came too late for this reply starts the next turn, and is no part of this one any more."""
    if not _unseen(turn, claim):
        return
    theirs = ConversationMessage.objects.filter(
        conversation_id=turn.conversation_id, role="user", id__lte=turn.last_message_id
    ).order_by("id")
    seen = max(claim.seen_ids, default=0)
    if newer := list(theirs.filter(id__gt=seen).values_list("id", flat=True)):
        Turn.objects.filter(pk=turn.pk).update(
            last_message=theirs.filter(id__lte=seen).values_list("id", flat=True).last()
        )
        opening.open_for([UnansweredMessage(turn.conversation_id, pk, at_once=False) for pk in newer])


def _failed(turn: Turn, claim: Claim, conversation: Conversation, outcome: Outcome) -> Closed:
    """The model failed: later again, or the fallback text, at most once per conversation and outage, or silence."""
    waited = (timezone.now() - turn.opened_at).total_seconds()
    if outcome.postpone_seconds is not None and waited + outcome.postpone_seconds <= LONGEST_POSTPONEMENT:
        opening.collect_again(turn, outcome.postpone_seconds)
        return Closed("postponed")
    first = None
    text = claim.assistant.fallback_text
    if text and (outcome.failure is None or outcome.failure.rule.fallback) and not _in_outage(turn):
        first = _reply(turn, conversation, text, Turn.State.FAILED, "fallback")
    else:
        opening.finish(turn, Turn.State.FAILED, outcome="silent")
    handover.mark_needs_person(
        [turn.conversation_id], f"The assistant did not answer: {turn.error or 'the model failed.'}"
    )
    _open_for_unseen(turn, claim)
    return Closed("failed", first)


def _in_outage(turn: Turn) -> bool:
    """Whether the customer has had the fallback text since the last reply."""
    ended = Turn.objects.filter(conversation_id=turn.conversation_id, outcome__in=["replied", "fallback"])
    last = ended.order_by("-id").values_list("outcome", flat=True).first()
    return last == "fallback"
