"""Deleting what is older than a business wants to keep, a bounded number of rows at a time."""

from collections import Counter
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from assistant.models import Turn
from conversations.models import Attachment, Conversation, ConversationMessage
from knowledge.models import UnansweredQuestion
from leads.models import Lead
from notifications.models import NotificationIncident
from runtime.clock import ago, from_now
from runtime.jobs import BATCH
from webhooks.models import WebhookEvent
from whatsapp.models import QuarantinedEvent

from . import rows
from .models import RetentionPolicy

CONVERSATIONS = 200  # that one transaction looks through
PAUSE_SECONDS = 3600  # between two walks
DAY = 86_400


def due(policy: RetentionPolicy) -> dict[str, int]:
    """How many rows of each kind the policy would delete now. It may take seconds for a large business."""
    counts = Counter(
        {
            "messages": _messages(policy).count() if policy.messages_days else 0,
            "files": _files(policy).count() if policy.files_days else 0,
            "quarantined events": _quarantined(policy).count() if policy.quarantine_days else 0,
            **{name: copies.count() for name, copies in _copies(policy).items()},
        }
    )
    return dict(+counts)


def apply_some() -> int:
    """Delete the next batch for the business whose turn it is. `BATCH` if there was one, so that it's called again."""
    with transaction.atomic():
        waiting = RetentionPolicy.objects.filter(next_at__lte=Now()).order_by("next_at").select_related("tenant")
        policy = waiting.select_for_update(skip_locked=True, of=["self"]).first()
        if policy is None:
            return 0
        deleted: rows.Deleted = Counter()
        if policy.files_days:
            deleted += rows.delete_some(_files(policy), BATCH)
        if policy.quarantine_days and deleted.total() < BATCH:
            deleted += rows.delete_some(_quarantined(policy), BATCH - deleted.total())
        for copies in _copies(policy).values():
            if deleted.total() < BATCH:
                deleted += rows.delete_some(copies, BATCH - deleted.total())
        is_done = deleted.total() < BATCH
        if policy.messages_days and is_done:
            is_done = _delete_messages(policy)
        if is_done:
            policy.position = 0
            policy.next_at = from_now(PAUSE_SECONDS)
        policy.save(update_fields=["position", "next_at"])
        return BATCH


def _delete_messages(policy: RetentionPolicy) -> bool:
    """Delete old messages of the next conversations. Whether the walk is at its end."""
    following = Conversation.objects.filter(tenant=policy.tenant, pk__gt=policy.position).order_by("pk")
    # The usual order: conversations before turns and messages. One that's held is looked at in the next walk.
    ids = list(following.select_for_update(skip_locked=True).values_list("pk", flat=True)[:CONVERSATIONS])
    old = list(_messages(policy).filter(conversation__in=ids).order_by("pk").values_list("pk", flat=True)[:BATCH])
    if old:
        # A turn is the record of messages; without them, it says nothing.
        Turn.objects.filter(conversation__in=ids, first_message__in=old).delete()
        ConversationMessage.objects.filter(pk__in=old).delete()
    _clear_copies(policy, ids)
    if len(old) < BATCH:
        policy.position = ids[-1] if ids else 0
    return not ids


def _clear_copies(policy: RetentionPolicy, ids: list[int]) -> None:
    """What leads and conversations repeat of old messages."""
    before = ago((policy.messages_days or 0) * DAY)
    leads = Lead.objects.filter(conversation__in=ids, created_at__lt=before)
    leads.exclude(first_text="").update(first_text="")
    silent = Conversation.objects.filter(pk__in=ids, last_message_at__lt=before)
    silent.exclude(handover_summary="").update(handover_summary="")


def _copies(policy: RetentionPolicy) -> "dict[str, QuerySet[Any]]":
    """Old rows that repeat what messages said."""
    if not policy.messages_days:
        return {}
    before, of_business = ago(policy.messages_days * DAY), {"tenant": policy.tenant}
    return {
        "webhook events": WebhookEvent.objects.filter(created_at__lt=before, **of_business),
        "notifications": NotificationIncident.objects.filter(
            opened_at__lt=before, closed_at__isnull=False, **of_business
        ),
        "unanswered questions": UnansweredQuestion.objects.filter(asked_at__lt=before, **of_business),
    }


def _messages(policy: RetentionPolicy) -> "QuerySet[ConversationMessage]":
    """Old messages that no open turn answers and that aren't on their way."""
    messages = ConversationMessage.objects.filter(
        conversation__tenant=policy.tenant, created_at__lt=ago((policy.messages_days or 0) * DAY)
    ).exclude(status__in=["queued", "sending"])
    return messages.exclude(
        conversation__turns__state__in=Turn.OPEN, conversation__turns__first_message_id__lte=F("pk")
    )


def _files(policy: RetentionPolicy) -> "QuerySet[Attachment]":
    return Attachment.objects.filter(
        message__conversation__tenant=policy.tenant, message__created_at__lt=ago((policy.files_days or 0) * DAY)
    ).exclude(message__status__in=["queued", "sending"])


def _quarantined(policy: RetentionPolicy) -> "QuerySet[QuarantinedEvent]":
    return QuarantinedEvent.objects.filter(
        tenant=policy.tenant, created_at__lt=ago((policy.quarantine_days or 0) * DAY)
    )
