"""Incidents and the line of a business, for the tests."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Now

from notifications import incidents, telling
from notifications.choices import Kind
from notifications.incidents import Incident
from notifications.models import NotificationDelivery, NotificationIncident, NotificationPreferences
from tenants.models import Tenant


def happen(
    tenant: Tenant, kind: Kind = Kind.HANDOVER, subject: str = "conversation:1", **more: Any
) -> NotificationIncident:
    incidents.open_all([Incident(tenant.pk, kind, subject, f"{kind} of {subject}", path="/admin/", **more)])
    return NotificationIncident.objects.latest("pk")


def time_passes() -> None:
    """Everything that is to happen later is due now."""
    NotificationIncident.objects.filter(due_at__isnull=False).update(due_at=Now())
    telling.tell_due()


def told(channel: str = "page") -> list[str]:
    """Who has been told through this channel, in order."""
    found = NotificationDelivery.objects.filter(channel=channel).order_by("pk")
    return list(found.values_list("user__username", flat=True))


def prefers(user: User, **columns: Any) -> None:
    NotificationPreferences.objects.update_or_create(pk=user.pk, defaults=columns)
