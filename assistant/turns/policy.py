"""When the assistant stays silent, and which settings it uses."""

import datetime as dt

from django.db import models
from django.db.models import F
from django.db.models.functions import Now, TruncDate
from django.utils import timezone

from assistant.model.text import plain
from assistant.models import Assistant, DailyUsage
from conversations.models import Conversation

FLAG_LENGTH = 255
MARGIN = dt.timedelta(minutes=2)  # of the 24-hour window: a reply takes time to reach Meta


class Silence(models.TextChoices):
    """Why a turn ends without a reply: `Turn.outcome`."""

    TAKEN_OVER = "taken over", "Someone took over"
    CONVERSATION_INACTIVE = "conversation inactive", "The conversation is switched off"
    TENANT_INACTIVE = "business inactive", "The business is suspended"
    WINDOW_CLOSED = "window closed", "The 24-hour window has closed"
    OUT_OF_BUDGET = "out of budget", "The daily token limit is used up"
    HANDED_OVER = "handed over", "Waiting for an agent"
    OUT_OF_HOURS = "out of hours", "Outside opening hours"
    RESTORED = "restored", "The database was restored from a backup"
    TOO_MANY_REPLIES = "too many replies", "This customer has had too many replies within an hour"


# Someone has to step in, or the customer would wait for nothing.
NEEDS_PERSON = {Silence.WINDOW_CLOSED, Silence.OUT_OF_BUDGET, Silence.OUT_OF_HOURS, Silence.TOO_MANY_REPLIES}


def silence_of(conversation: Conversation, margin: dt.timedelta = MARGIN) -> Silence | None:
    """Why the assistant must not reply in this conversation now; None if it may."""
    if conversation.handled_by == Conversation.Handler.OPERATOR:
        return Silence.TAKEN_OVER
    if not conversation.is_active or conversation.is_group:
        return Silence.CONVERSATION_INACTIVE
    if conversation.tenant is not None and not conversation.tenant.is_active:
        return Silence.TENANT_INACTIVE
    if not conversation.window_is_open(margin):
        return Silence.WINDOW_CLOSED
    return None


def failure_flag(error: str) -> str:
    """Why a conversation needs a person after a turn that failed with this error."""
    return f"The assistant didn't reply: {error or 'the model failed.'}"[:FLAG_LENGTH]


def reason_of(error: Exception) -> str:
    """What an error says. Its first line only: the others may quote a row."""
    first, _, _ = str(error).strip().partition("\n")
    return plain(f"{type(error).__name__}: {first}")[:500]


def tokens_today(tenant_id: int | None) -> int:
    """Tokens that the business has used since midnight UTC."""
    used = DailyUsage.objects.filter(tenant=tenant_id, day=TruncDate(Now()))
    return used.values_list("tokens", flat=True).first() or 0


def add_tokens(tenant_id: int | None, tokens: int) -> None:
    """Count tokens used outside turns towards the daily limit."""
    if not tokens or tenant_id is None:
        return
    usage, _ = DailyUsage.objects.get_or_create(tenant_id=tenant_id, day=timezone.now().date())
    DailyUsage.objects.filter(pk=usage.pk).update(tokens=F("tokens") + tokens)


def is_over_budget(assistant: Assistant, tokens_today: int) -> bool:
    limit = assistant.daily_tokens
    return limit is not None and tokens_today >= limit
