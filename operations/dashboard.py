"""The admin's first page: what came in, what went out, how fast and for how much, and what waits for a person."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Aggregate,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    FloatField,
    Q,
    QuerySet,
    Sum,
)
from django.db.models.functions import Extract, TruncDate
from django.http import HttpRequest
from django.utils import timezone

from assistant.models import Turn
from conversations.desk import extensions
from conversations.models import Conversation, ConversationMessage, Status
from tenants.access import for_user

DAYS = 14
LISTED = 8


class Percentile(Aggregate):
    """The value below which this fraction of the rows lies."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


SECONDS = Extract(ExpressionWrapper(F("finished_at") - F("opened_at"), DurationField()), "epoch")


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    received: int
    sent: int
    busiest: int  # the largest number of the period: the height of the chart

    @property
    def received_percent(self) -> int:
        return round(100 * self.received / self.busiest)

    @property
    def sent_percent(self) -> int:
        return round(100 * self.sent / self.busiest)


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK. Everything is of the tenants that the person belongs to."""
    since = (timezone.now() - dt.timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    messages = _of(request, ConversationMessage.objects.filter(created_at__gte=since), "conversation__tenant")
    turns = _of(request, Turn.objects.filter(opened_at__gte=since), "conversation__tenant")
    waiting = _of(request, Conversation.objects.exclude(needs_person=""), "tenant")
    by_day = days(messages, since.date())
    context["dashboard"] = {
        "days": by_day,
        "replies": replies(turns),
        "by_tenant": by_tenant(turns),
        "not_sent": messages.filter(status__in=[Status.FAILED, Status.UNCERTAIN]).count(),
        "waiting": waiting.select_related("tenant").order_by("-needs_person_since")[:LISTED],
        "waiting_count": waiting.count(),
        "number_of_days": DAYS,
        "first_step": None if any(day.received or day.sent for day in by_day) else extensions.first_step_of(request),
    }
    return context


def _of(request: HttpRequest, rows: "QuerySet[Any]", path: str) -> "QuerySet[Any]":
    return for_user(rows, request.user, path)


def days(messages: "QuerySet[Any]", first: dt.date) -> list[Day]:
    rows = messages.annotate(day=TruncDate("created_at")).values("day").order_by("day")
    counted = rows.annotate(received=Count("pk", filter=Q(role="user")), sent=Count("pk", filter=Q(role="assistant")))
    by_day = {row["day"]: (row["received"], row["sent"]) for row in counted}
    busiest = max((max(pair) for pair in by_day.values()), default=0) or 1
    dates = [first + dt.timedelta(days=number) for number in range(DAYS)]
    return [Day(date, *by_day.get(date, (0, 0)), busiest) for date in dates]


def replies(turns: "QuerySet[Any]") -> dict[str, Any]:
    replied = Q(state=Turn.State.REPLIED)
    return turns.aggregate(
        count=Count("pk", filter=replied),
        failed=Count("pk", filter=Q(state=Turn.State.FAILED)),
        median=Percentile(SECONDS, filter=replied, fraction=0.5),
        slow=Percentile(SECONDS, filter=replied, fraction=0.95),
    )


def by_tenant(turns: "QuerySet[Any]") -> list[dict[str, Any]]:
    spent = turns.values(name=F("conversation__tenant__name")).annotate(
        replies=Count("pk", filter=Q(state=Turn.State.REPLIED)),
        tokens=Sum(F("prompt_tokens") + F("completion_tokens")),
        cost=Sum("cost"),
    )
    return list(spent.order_by("-tokens")[:LISTED])
