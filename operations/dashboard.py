"""The numbers on the admin's start page: messages, response times, costs, and conversations that need attention."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, FloatField, Q, QuerySet, Sum
from django.db.models.functions import Extract, TruncDate
from django.http import HttpRequest
from django.utils import timezone

from assistant.models import Turn
from conversations.desk import extensions
from conversations.models import Conversation, ConversationMessage, Status
from operations import causes, first_steps
from runtime.row_security.scope import all_businesses
from tenants.access import for_user
from tenants.models import Invitation
from tenants.users import user_of

DAYS = 14
MAX_ROWS = 8


class Percentile(Aggregate):
    """The value that this fraction of the rows doesn't exceed."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


SECONDS = Extract(ExpressionWrapper(F("finished_at") - F("opened_at"), DurationField()), "epoch")


class Usage(TypedDict):
    """What the model cost one business."""

    name: str | None
    replies: int
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    received: int
    sent: int
    maximum: int  # of the period: the height of the chart

    @property
    def received_percent(self) -> int:
        return round(100 * self.received / self.maximum)

    @property
    def sent_percent(self) -> int:
        return round(100 * self.sent / self.maximum)


def add_dashboard(request: HttpRequest, context: dict[str, object]) -> dict[str, object]:
    """Unfold's DASHBOARD_CALLBACK. Only counts the businesses that the user belongs to."""
    first_day = timezone.localdate() - dt.timedelta(days=DAYS - 1)
    since = timezone.make_aware(dt.datetime.combine(first_day, dt.time()))
    user = request.user
    messages = for_user(ConversationMessage.objects.filter(created_at__gte=since), user, "conversation__tenant")
    turns = for_user(Turn.objects.filter(opened_at__gte=since), user, "conversation__tenant")
    waiting = for_user(Conversation.objects.exclude(needs_person=""), user, "tenant")
    broken = causes.causes_for(request)
    held = causes.held_messages(broken)
    by_day = days(messages, first_day)
    with all_businesses():  # of businesses that the user isn't a member of
        invitations = list(Invitation.objects.addressed_to(user).select_related("tenant"))
    context["dashboard"] = {
        "checklists": first_steps.checklists(user_of(request)),
        "invitations": invitations,
        "days": by_day,
        "first_day": first_day,
        "replies": replies(turns),
        "by_tenant": by_tenant(turns),
        "not_sent": messages.filter(status__in=[Status.FAILED, Status.UNCERTAIN]).count(),
        "banners": causes.render(request, broken, held),
        "held": sum(held.values()),
        "waiting": waiting.select_related("tenant").order_by("needs_person_since")[:MAX_ROWS],
        "waiting_count": waiting.count(),
        "number_of_days": DAYS,
        "first_step": None if any(day.received or day.sent for day in by_day) else extensions.first_step_for(request),
    }
    return context


def days(messages: "QuerySet[ConversationMessage]", first: dt.date) -> list[Day]:
    rows = messages.annotate(day=TruncDate("created_at")).values("day").order_by("day")
    counted = rows.annotate(received=Count("pk", filter=Q(role="user")), sent=Count("pk", filter=Q(role="assistant")))
    by_day = {row["day"]: (row["received"], row["sent"]) for row in counted}
    maximum = max((max(pair) for pair in by_day.values()), default=0) or 1
    dates = [first + dt.timedelta(days=number) for number in range(DAYS)]
    return [Day(date, *by_day.get(date, (0, 0)), maximum) for date in dates]


def replies(turns: "QuerySet[Turn]") -> dict[str, float | None]:
    replied = Q(state=Turn.State.REPLIED)
    return turns.aggregate(
        count=Count("pk", filter=replied),
        failed=Count("pk", filter=Q(state=Turn.State.FAILED)),
        median=Percentile(SECONDS, filter=replied, fraction=0.5),
        p95=Percentile(SECONDS, filter=replied, fraction=0.95),
    )


def by_tenant(turns: "QuerySet[Turn]") -> list[Usage]:
    usage = turns.values(name=F("conversation__tenant__name")).annotate(
        replies=Count("pk", filter=Q(state=Turn.State.REPLIED)),
        tokens=Sum(F("prompt_tokens") + F("completion_tokens")),
        cost=Sum("cost"),
    )
    return list(usage.order_by("-tokens")[:MAX_ROWS])
