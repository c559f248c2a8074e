"""Records the outcomes of sent messages, many at once. A status never moves back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now

from conversations import handover, webhook_events
from conversations.choices import BEFORE_SENT
from conversations.models import Conversation, ConversationMessage, Status, lock
from notifications.choices import Kind
from runtime import crashpoints
from runtime.clock import from_now
from runtime.untrusted_json import one_line

from .claiming import ON_HOLD_SECONDS, Unsendable
from .senders import Policy, SendFailed


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a message and its outcome: a wamid or a failure."""

    message_id: int
    tenant_id: int
    wamid: str = ""
    failure: SendFailed | None = None


_SENT = """
UPDATE conversation_messages AS m SET status = 'sent', external_id = NULLIF(sent.wamid, ''),
    sent_at = statement_timestamp(), error_code = NULL, error_detail = ''
FROM jsonb_to_recordset(%s) AS sent(id bigint, wamid text)
WHERE m.id = sent.id AND m.id IN (
    SELECT id FROM conversation_messages WHERE id = ANY (%s) AND status = 'sending' FOR UPDATE SKIP LOCKED)
RETURNING m.id, EXISTS (
    SELECT FROM webhook_endpoints w
    WHERE w.tenant_id = m.tenant_id AND w.is_active AND 'reply.sent' = ANY (w.event_types)
), EXISTS (
    SELECT FROM conversation_messages later WHERE later.conversation_id = m.conversation_id AND later.id > m.id
        AND later.status = 'queued'), (
    SELECT c.id FROM conversations c WHERE c.id = m.conversation_id AND starts_with(c.needs_person, %s))
"""


def record(attempts: Sequence[Attempt | Unsendable]) -> list[bool | None]:
    """Record these outcomes, without undoing what a status webhook has already recorded. For each: whether another
    message of its conversation is queued behind it; None if its row is locked.
    """
    with transaction.atomic():
        sent = [each for each in attempts if isinstance(each, Attempt) and not each.failure]
        recorded, flagged = _record_sent(sent)
        others = {each.message_id: each for each in attempts if each.message_id not in recorded}
        for message in _with_conversations_locked(list(others)):
            _record_alone(message, others[message.pk])
            behind = ConversationMessage.objects.filter(conversation=message.conversation_id, status=Status.QUEUED)
            recorded[message.pk] = behind.exists()
        crashpoints.reach("C24")
    if flagged:
        handover.clear_waiting(flagged)  # locks conversations: after the transaction that has locked messages
    return [recorded.get(each.message_id) for each in attempts]


def record_in_short(attempt: Attempt | Unsendable, error: str) -> bool:
    """The last resort, when `record` fails for this message alone: only its state, the reason and the flag, so that it
    doesn't stay *sending*. Returns whether another message is queued behind it.
    """
    failure = attempt.failure
    if failure is None:
        status, detail = Status.SENT, f"WhatsApp accepted it, but that couldn't be recorded: {error}."
        flag, at = f"A reply was sent. {detail}", "sent_at"
    else:
        detail = f"{one_line(failure.detail, 300)} (This couldn't be recorded as usual: {error}.)"
        if failure.policy == Policy.UNCERTAIN:
            status, flag, at = Status.UNCERTAIN, handover.UNCERTAIN, ""
        else:
            status, flag, at = Status.FAILED, f"A reply was not sent: {detail}", "failed_at"
    with transaction.atomic():
        lock(messages=attempt.message_id)
        message = ConversationMessage.objects.filter(pk=attempt.message_id)
        before = attempt.status if isinstance(attempt, Unsendable) else Status.SENDING
        if message.filter(status=before).update(status=status, error_detail=detail, **({at: Now()} if at else {})):
            Conversation.objects.filter(messages=attempt.message_id).update(
                needs_person=flag[:255], needs_person_since=Now(), updated_at=Now()
            )
        behind = ConversationMessage.objects.filter(
            conversation__messages=attempt.message_id, status=Status.QUEUED, pk__gt=attempt.message_id
        )
        return behind.exists()


def _record_sent(attempts: Sequence[Attempt]) -> tuple[dict[int, bool], list[int]]:
    """The usual outcome, in one statement for all that are still *sending*. By ID: whether another is queued behind
    it. And the conversations that are flagged because a reply waited."""
    if not attempts:
        return {}, []
    rows = json.dumps([{"id": each.message_id, "wamid": each.wamid} for each in attempts])
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [rows, [each.message_id for each in attempts], handover.WAITING])
        found = cursor.fetchall()
    if listened := [pk for pk, has_subscriber, _, _ in found if has_subscriber]:
        webhook_events.sent(listened)
    flagged = [conversation_id for _, _, _, conversation_id in found if conversation_id]
    return {pk: has_next for pk, _, has_next, _ in found}, flagged


def _with_conversations_locked(message_ids: Sequence[int]) -> list[ConversationMessage]:
    """Lock these messages, except those whose conversation or row is locked. Conversations come first, as always."""
    if not message_ids:
        return []
    conversations = Conversation.objects.filter(messages__in=message_ids).order_by("pk").distinct()
    held = Conversation.objects.filter(pk__in=list(conversations.values_list("pk", flat=True))).order_by("pk")
    ids = list(held.select_for_update(skip_locked=True).values_list("pk", flat=True))
    messages = ConversationMessage.objects.filter(pk__in=message_ids, conversation__in=ids).defer("raw_json")
    return list(messages.select_for_update(skip_locked=True).order_by("pk"))


def _record_alone(message: ConversationMessage, attempt: Attempt | Unsendable) -> None:
    failure = attempt.failure
    if isinstance(attempt, Unsendable):
        if message.status == attempt.status:
            _end(message, attempt.failure)
    elif failure is None:
        _record_overtaken(message, attempt.wamid)
    elif message.status == Status.SENDING and failure.policy not in (Policy.FAIL, Policy.UNCERTAIN):
        _put_back_or_fail(message, failure)
    elif message.status in (Status.SENDING, Status.UNCERTAIN):
        # A refusal that arrives after we gave up waiting ends the message: later ones may have been sent by now.
        _end(message, failure)


def _record_overtaken(message: ConversationMessage, wamid: str) -> None:
    """It was sent, but its row isn't *sending*: a status came first, or we gave up waiting."""
    ConversationMessage.objects.filter(pk=message.pk).update(
        status=Case(When(status__in=BEFORE_SENT, then=Value(Status.SENT)), default=F("status")),
        sent_at=Now(),
        error_code=None,
        error_detail="",
        **({"external_id": wamid} if wamid else {}),
    )
    webhook_events.sent([message.pk])
    handover.clear_uncertain(message.pk)


def _put_back_or_fail(message: ConversationMessage, failure: SendFailed) -> None:
    wait, counted = failure.retry_in, 0
    if failure.policy == Policy.HOLD:
        wait = ON_HOLD_SECONDS
    elif failure.policy == Policy.RETRY:
        if message.attempts >= len(failure.waits):
            _end(message, failure)
            return
        wait, counted = failure.waits[message.attempts], 1
    ConversationMessage.objects.filter(pk=message.pk).update(
        status=Status.QUEUED,
        next_attempt_at=from_now(wait),
        attempts=F("attempts") + counted,
        error_code=failure.code,
        error_detail=failure.detail,
    )
    if failure.policy == Policy.HOLD:
        handover.mark_needs_person([message.conversation_id], f"{handover.WAITING}{failure.detail}", kind=None)


def _end(message: ConversationMessage, failure: SendFailed) -> None:
    """Failed or uncertain."""
    row = ConversationMessage.objects.filter(pk=message.pk)
    if failure.policy == Policy.UNCERTAIN:
        row.update(status=Status.UNCERTAIN, error_detail=failure.detail)
        handover.mark_needs_person([message.conversation_id], handover.UNCERTAIN, kind=Kind.FAILED)
        return
    row.update(status=Status.FAILED, failed_at=Now(), error_code=failure.code, error_detail=failure.detail)
    if failure.detail != handover.TAKEN_OVER:
        handover.mark_needs_person(
            [message.conversation_id], f"A reply was not sent: {failure.detail}", kind=Kind.FAILED
        )
