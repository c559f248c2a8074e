"""Going on with what waited while a business was suspended."""

import datetime as dt

from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from assistant.turns.handback import answer_open_messages
from conversations import notifying
from conversations.choices import ConversationHandler
from conversations.models import Attachment, Conversation, ConversationMessage, lock
from runtime.jobs import BATCH
from tenants.models import Tenant
from webhooks.models import WebhookDelivery

# Before it was suspended: a turn that was under way then wasn't answered, and Meta's times are in whole seconds.
MARGIN = dt.timedelta(minutes=10)


def release(tenant_id: int) -> None:
    """What was put off is due now: webhooks, and files to be read."""
    waiting = WebhookDelivery.objects.filter(event__tenant=tenant_id, status=WebhookDelivery.Status.WAITING)
    waiting.update(next_attempt_at=Now())
    Attachment.objects.filter(tenant=tenant_id, state=Attachment.State.READING).update(next_attempt_at=Now())


def answer_some(tenant_id: int, since: dt.datetime, after: int) -> int | None:
    """Answer customers who have written since then and are still waiting, a batch of conversations at a time.

    The assistant does, in its conversations; where it can't any more, they're flagged. For the others, the team is
    notified. Returns the last conversation, for the next batch; None if there's none. Safe to run twice.
    """
    newest = ConversationMessage.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id")
    rows = Conversation.objects.filter(tenant=tenant_id, last_inbound_at__gte=since - MARGIN, pk__gt=after)
    found = list(rows.annotate(said_by=Subquery(newest.values("role")[:1])).order_by("pk")[:BATCH])
    if not found or not Tenant.objects.filter(pk=tenant_id, is_active=True).exists():
        return None
    waiting = [each for each in found if each.said_by == "user"]
    for each in waiting:
        with transaction.atomic():
            lock(pk=each.pk)
            if each.handled_by == ConversationHandler.ASSISTANT:
                answer_open_messages(each.pk)
            else:
                notifying.customer_wrote([each.pk])
    return found[-1].pk
