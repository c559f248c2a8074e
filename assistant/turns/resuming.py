"""Answering the customers who wrote while a model endpoint was paused, once it may be called again."""

import logging

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from assistant.model import retries
from assistant.model.errors import RULES
from assistant.models import Assistant, Turn
from conversations import handover
from conversations.choices import MessageOrigin
from conversations.models import Conversation, ConversationMessage, Pause, Status
from runtime.jobs import BATCH
from runtime.notify import notify_workers_on_commit

from .policy import failure_flag, silence_of

logger = logging.getLogger(__name__)

NO_KEY = "no key: "  # in `Turn.waits_for`, before the scope of an endpoint for which there was no valid key


def waits_for(assistant: Assistant, kind: str) -> str:
    """What a turn that failed with this kind of failure waits for; '' for nothing. See `errors.RULES`."""
    if kind == "no_key":
        return NO_KEY + retries.scope(assistant)
    return retries.scope(assistant) if kind == "endpoint_paused" or RULES[kind].stop_endpoint else ""


def resume(assistant: Assistant) -> None:
    """Its endpoint works again, or should be tried again: end its pause, and answer the turns that wait for it."""
    Pause.objects.filter(scope=retries.scope(assistant)).delete()
    answer_waiting()


_WAITING = """
SELECT waiting.tenant_id, waiting.waits_for, to_jsonb(a), NOT EXISTS (SELECT FROM pauses p WHERE p.scope = waits_for)
FROM (SELECT DISTINCT tenant_id, waits_for FROM turns WHERE waits_for <> '') AS waiting
LEFT JOIN assistants a ON a.tenant_id = waiting.tenant_id
"""


def answer_waiting() -> int:
    """Reopen the turns whose endpoint was resumed, or whose business now has another key or endpoint.

    It isn't enough that a pause has expired: it only ends with the first call that succeeds. Returns the number of
    conversations.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        found = cursor.fetchall()
    over = Q()
    for tenant_id, awaited, assistant, is_resumed in found:
        try:
            scope = retries.scope(Assistant.from_json(assistant, tenant_id))
        except ImproperlyConfigured:  # its key can't be decrypted, which its next turn reports
            continue
        if awaited.removeprefix(NO_KEY) != scope or (is_resumed and awaited == scope):
            over |= Q(tenant=tenant_id, waits_for=awaited)
    if not over:
        return 0
    waiting = Turn.objects.filter(over).order_by("conversation_id").values_list("conversation_id", flat=True)
    return sum(_answer(conversation_id) for conversation_id in list(waiting.distinct()[:BATCH]))


def _answer(conversation_id: int) -> bool:
    """Reopen the newest waiting turn of a conversation if its customer is still waiting.

    One reply answers the earlier ones too, because the model sees their messages. False if the row is locked.
    """
    with transaction.atomic():
        if not Conversation.objects.select_for_update(skip_locked=True).filter(pk=conversation_id):
            return False
        waiting = Turn.objects.filter(conversation=conversation_id).exclude(waits_for="")
        turns = list(waiting.order_by("pk").select_related("conversation__tenant"))
        waiting.update(waits_for="")
        if not turns or silence_of(turns[-1].conversation) or _is_answered(turns[-1]):
            return True
        reopened = Turn.objects.filter(pk=turns[-1].pk, state=Turn.State.FAILED).update(
            # `outcome` remains: it says whether the customer has the fallback text.
            state=Turn.State.COLLECTING,
            due_at=Now(),
            finished_at=None,
            superseded=0,
            lost_leases=0,
        )
        if reopened:
            flags = [failure_flag(turn.error) for turn in turns]
            handover.end_reason(Conversation.objects.filter(pk=conversation_id, needs_person__in=flags))
            notify_workers_on_commit()
            logger.info("conv_id=%s: answering what waited for the model", conversation_id)
    return True


def _is_answered(turn: Turn) -> bool:
    """Whether the customer has since got more than the fallback text, or another turn is open."""
    turns = Turn.objects.filter(conversation=turn.conversation_id)
    if turns.filter(state__in=Turn.OPEN).exists():
        return True
    replies = ConversationMessage.objects.filter(
        conversation=turn.conversation_id, role="assistant", pk__gt=turn.last_message_id
    ).exclude(Q(status=Status.FAILED) | Q(origin=MessageOrigin.AUTOMATIC))
    for first, last in turns.filter(outcome="fallback", first_reply__isnull=False).values_list(
        "first_reply", "last_reply"
    ):
        replies = replies.exclude(pk__range=(first, last))
    return replies.exists()
