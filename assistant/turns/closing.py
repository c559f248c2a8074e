"""Closing turns, in one transaction that also checks what changed while the model was thinking."""

import dataclasses
import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from assistant.model import answers, prices
from assistant.model.retries import Outcome
from assistant.models import Turn
from assistant.tools.asking_for_person import asks_for_person
from assistant.tools.own import Effects, ToolCall
from conversations.choices import HandoverReason
from conversations.models import ConversationMessage
from conversations.outbox import queue as outbox
from knowledge.search import Passage
from knowledge.unanswered import UnansweredQuestion
from leads.noting import Note
from runtime.logs.context import about
from runtime.untrusted_json import Json

from .claiming import MAX_LOST_LEASES
from .loading import ClaimedTurn
from .opening import UnansweredMessage
from .policy import NEEDS_PERSON, Silence, failure_flag, silence_of
from .resuming import waits_for
from .writing import Batch, write

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


class Unknown(NamedTuple):
    """A customer's question that has no answer. message_id: of the row that asks it."""

    message_id: int
    text: str


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A claimed turn and its result. outcome: None if the model wasn't called. error: our own error, as text.

    refused, refused_images: why the model's service refuses a message or an image, by message and attachment ID.
    calls: those of the assistant's own tools, in all steps. prompt: its parts, for the ledger. sources: the passages
    that the reply cites. unknown_question: what the assistant couldn't answer.
    """

    claim: ClaimedTurn
    outcome: Outcome | None = None
    error: str = ""
    refused: Mapping[int, str] = field(default_factory=dict)
    refused_images: Mapping[int, str] = field(default_factory=dict)
    calls: Sequence[ToolCall] = ()
    prompt: Json = field(default_factory=dict)
    sources: Sequence[Passage] = ()
    unknown_question: Unknown | None = None

    @property
    def tokens(self) -> int:
        """The tokens of all answers, used or not."""
        return sum(each.tokens for each in self.outcome.billed) if self.outcome else 0


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
        batch = Batch(now=held[0].now if held else dt.datetime.max)
        if any(each.outcome is None or each.outcome.completion is None for each in finished):
            batch.told = in_outage([turn.conversation_id for turn in turns.values()])
        for each in finished:
            if each.tokens and each.claim.turn_id in turns:  # also of one that is fenced
                batch.tokens[each.claim.tenant_id] += each.tokens
        endings = [_end(batch, each, turns.get(each.claim.turn_id)) for each in finished]
        write(batch)
    queued = {turn.pk: messages[0].pk for turn, messages in batch.replies}
    for each, ending in zip(finished, endings, strict=True):
        turn_id, conversation_id = each.claim.turn_id, each.claim.conversation_id
        ids = about(turn_id=turn_id, conversation_id=conversation_id, message_id=queued.get(turn_id))
        if ending == Ending.FENCED:
            logger.warning("turn %s: fenced, generation %s has ended", turn_id, each.claim.generation, extra=ids)
        elif ending is not None:
            logger.info("[WA][CHAT] conv_id=%s turn %s: %s", conversation_id, turn_id, ending, extra=ids)
    return endings


def _end(batch: Batch, finished: FinishedTurn, turn: Turn | None) -> Ending | None:
    claim, outcome = finished.claim, finished.outcome
    if turn is None:
        return None
    if not is_mine(turn, claim):
        return Ending.FENCED
    batch.refused.update(finished.refused)
    batch.refused_images.update(finished.refused_images)
    if outcome is not None:
        record(turn, claim, outcome)
        turn.prompt = finished.prompt
    if silence := silence_of(turn.conversation) or (claim.silence if outcome is None else None):
        return _suppress(batch, turn, silence, claim)
    if claim.is_exhausted or finished.error:
        turn.error = finished.error or f"{MAX_LOST_LEASES} workers stopped before they could reply."
    elif outcome is None:  # the assistant had to be silent when the turn was claimed, but no longer does
        return _collect_again(batch, turn, 0, Ending.SUPERSEDED)
    elif outcome.completion is not None:
        if (ending := _answer(batch, turn, finished, outcome.completion.text)) is not None:
            return ending
        turn.error = "The model's answer has no text that can be sent."
    elif outcome.postpone_seconds is not None and _age(batch, turn) + outcome.postpone_seconds <= LONGEST_POSTPONEMENT:
        return _collect_again(batch, turn, outcome.postpone_seconds, Ending.POSTPONED)
    return _fail(batch, turn, finished)


def _answer(batch: Batch, turn: Turn, finished: FinishedTurn, text: str) -> Ending | None:
    """None if there's nothing to send."""
    claim = finished.claim
    if _must_reconsider(batch, turn, claim):
        turn.superseded += 1
        return _collect_again(batch, turn, _quiet_seconds(batch, turn, claim), Ending.SUPERSEDED)
    quoted = claim.quotable if claim.is_ambiguous or _is_unseen(turn, claim) else ""
    hint = f"\n\n{claim.assistant.person_hint}" if claim.is_first_reply and claim.assistant.person_hint else ""
    if not _reply(batch, turn, f"{text}{hint}" if text else "", quoted, claim.assistant.previews_links):
        return None
    turn.sources = [dataclasses.asdict(passage) for passage in finished.sources]
    if finished.unknown_question:
        batch.unknown.append(
            UnansweredQuestion(
                tenant_id=claim.tenant_id,
                conversation_id=claim.conversation_id,
                message_id=finished.unknown_question.message_id,
                text=finished.unknown_question.text,
            )
        )
    if finished.refused:
        batch.flags["The model's service refused a message. The reply leaves it out."].append(turn.conversation_id)
    return _finish(batch, turn, finished, Turn.State.REPLIED, Ending.REPLIED)


def is_mine(turn: Turn, claim: ClaimedTurn) -> bool:
    """Whether this claim still holds the turn."""
    return turn.state == Turn.State.GENERATING and turn.generation == claim.generation


def record(turn: Turn, claim: ClaimedTurn, outcome: Outcome) -> None:
    """Enter what was shown and what it cost into the ledger, including dropped drafts and failed attempts."""
    completion = outcome.completion
    turn.seen_messages = claim.seen_ids
    turn.model = completion.model if completion else answers.short_name(claim.assistant.model_name)
    turn.instructions_hash = claim.assistant.instructions_hash
    turn.seconds = (turn.seconds or 0) + outcome.seconds
    turn.usage_estimated |= outcome.cost_unknown
    for answer in outcome.billed:
        turn.prompt_tokens += answer.prompt_tokens
        turn.cached_tokens += answer.cached_tokens
        turn.completion_tokens += answer.completion_tokens
        turn.usage_estimated |= answer.usage_estimated
        turn.cost = prices.add(turn.cost, answer)
    turn.error = outcome.failure.detail if outcome.failure else ""
    turn.warning = completion.warning if completion else ""


def _suppress(batch: Batch, turn: Turn, silence: Silence, claim: ClaimedTurn) -> Ending:
    turn.state, turn.outcome = Turn.State.SUPPRESSED, silence
    if silence in NEEDS_PERSON:
        batch.flags[f"The assistant didn't reply. {silence.label}."].append(turn.conversation_id)
    if silence == Silence.OUT_OF_HOURS and claim.away_text:
        _reply(batch, turn, claim.away_text)
    elif silence == Silence.OUT_OF_BUDGET and turn.conversation_id not in batch.told:
        _reply(batch, turn, claim.assistant.fallback_text)
    batch.ended.append(turn)
    return Ending.SUPPRESSED


def _collect_again(batch: Batch, turn: Turn, seconds: float, ending: Ending) -> Ending:
    turn.state, turn.due_at = Turn.State.COLLECTING, batch.now + dt.timedelta(seconds=seconds)
    batch.ended.append(turn)
    return ending


def _finish(batch: Batch, turn: Turn, finished: FinishedTurn, state: Turn.State, ending: Ending) -> Ending:
    claim = finished.claim
    turn.state, turn.outcome = state, ending
    batch.ended.append(turn)
    _carry_out(batch, claim, claim.toolbox.effects(finished.calls))
    if _is_unseen(turn, claim):
        batch.unanswered += _split_off_unseen(turn, claim)
    return ending


def _carry_out(batch: Batch, claim: ClaimedTurn, effects: Effects) -> None:
    """What the assistant's own tools do. A customer who asked for a person is flagged even if the model didn't."""
    reason = HandoverReason.MACHINE if claim.is_machine else effects.reason
    if reason is None and any(asks_for_person(text) for text in claim.open_texts):
        reason = HandoverReason.ASKED
    if reason:
        batch.handovers.append((claim.conversation_id, reason, effects.summary))
    if effects.values:
        batch.notes.append(Note(claim.conversation_id, max(claim.seen_ids), effects.values))


def _reply(batch: Batch, turn: Turn, text: str, quoted: str = "", previews_links: bool = False) -> bool:
    """False if nothing of the text can be sent."""
    messages = outbox.messages_for(turn.conversation, text, reply_to=quoted, previews_links=previews_links)
    if messages:
        batch.replies.append((turn, messages))
    return bool(messages)


def _fail(batch: Batch, turn: Turn, finished: FinishedTurn) -> Ending:
    """Send the fallback text, at most once per conversation and outage, and flag the conversation."""
    claim, outcome = finished.claim, finished.outcome
    is_told = turn.outcome == Ending.FALLBACK  # it was reopened
    if not is_told and turn.conversation_id not in batch.told:
        is_told = _reply(batch, turn, claim.assistant.fallback_text)
    if outcome and outcome.failure:
        turn.waits_for = waits_for(claim.assistant, outcome.failure.kind)
    batch.flags[failure_flag(turn.error)].append(turn.conversation_id)
    return _finish(batch, turn, finished, Turn.State.FAILED, Ending.FALLBACK if is_told else Ending.SILENT)


def _is_unseen(turn: Turn, claim: ClaimedTurn) -> bool:
    """Whether a message came that the model wasn't shown."""
    return bool(claim.seen_ids) and turn.last_message_id > max(claim.seen_ids)


def _must_reconsider(batch: Batch, turn: Turn, claim: ClaimedTurn) -> bool:
    """A newer message came: the draft is dropped, at most twice, and after the longest wait at most once."""
    allowed = MAX_SUPERSEDED if batch.now < turn.latest_due_at else 1
    return _is_unseen(turn, claim) and turn.superseded < allowed


def _quiet_seconds(batch: Batch, turn: Turn, claim: ClaimedTurn) -> float:
    """How long to wait for more messages, never past the longest wait."""
    quiet = claim.assistant.quiet_seconds
    left = (turn.latest_due_at - batch.now).total_seconds()
    return max(0.0, min(settings.TURN_QUIET_SECONDS if quiet is None else quiet, left))


def _age(batch: Batch, turn: Turn) -> float:
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


def in_outage(conversation_ids: Sequence[int]) -> set[int]:
    """The conversations whose customers got the fallback text after the last reply."""
    told = (Ending.FALLBACK, Silence.OUT_OF_BUDGET)
    ended = Turn.objects.filter(conversation_id__in=conversation_ids, outcome__in=[Ending.REPLIED, *told])
    newest = ended.order_by("conversation_id", "-opened_at", "-id").distinct("conversation_id")
    return {turn.conversation_id for turn in newest.only("conversation_id", "outcome") if turn.outcome in told}
