"""Tells owners when their daily token limit is nearly used up."""

from django.db.models.functions import Now, TruncDate
from django.urls import reverse
from django.utils import timezone

from notifications import incidents
from notifications.choices import Kind
from notifications.incidents import Incident
from notifications.models import NotificationIncident, NotificationSettings

from .models import Assistant, DailyUsage

INDEX = "/admin/"
TITLE = "The daily token limit is nearly used up"


def warn() -> int:
    """Open an incident for each business that has used most of today's limit, and close those of other days. A
    recurring function."""
    today = f"budget:{timezone.now().date()}"
    assistants = {each.tenant_id: each for each in Assistant.objects.defer("api_key")}
    percents = dict(NotificationSettings.objects.values_list("tenant", "budget_percent"))
    nearly = []
    used = DailyUsage.objects.filter(day=TruncDate(Now()), tokens__gt=0)
    for tenant_id, tokens in used.values_list("tenant", "tokens"):
        assistant = assistants.get(tenant_id) or Assistant(tenant_id=tenant_id)
        limit = assistant.daily_tokens
        if limit and tokens * 100 >= limit * percents.get(tenant_id, NotificationSettings().budget_percent):
            text = f"{tokens:,} of {limit:,} tokens today. Then the assistant stops replying until midnight UTC."
            page = reverse("admin:assistant_assistant_change", args=[assistant.pk]) if assistant.pk else INDEX
            nearly.append(Incident(tenant_id, Kind.BUDGET, today, TITLE, text, page))
    known = NotificationIncident.objects.filter(kind=Kind.BUDGET, closed_at=None)
    told = set(known.filter(subject=today).values_list("tenant", flat=True))
    incidents.open_all(each for each in nearly if each.tenant_id not in told)
    return incidents.close(list(known.exclude(subject=today).values_list("subject", flat=True)), [Kind.BUDGET])
