"""Keep authentic webhook events that couldn't be stored, with the reason, until they are retried."""

import hashlib
import json
from collections.abc import Iterable

from django.conf import settings
from django.db.models.functions import Now

from tenants.models import Tenant
from whatsapp.models import QuarantinedEvent, WhatsAppAccount
from whatsapp.webhook.types import Rejected


def keep(rejected: Iterable[Rejected]) -> None:
    """Store these events, each once however often Meta repeats it."""
    events = list(rejected)
    if not events:
        return
    numbers = {event.phone_number_id for event in events}
    tenants = _tenants_of(numbers)
    QuarantinedEvent.objects.bulk_create(
        [_row(event, tenants.get(event.phone_number_id)) for event in events], ignore_conflicts=True
    )


def _tenants_of(numbers: set[str]) -> dict[str, int]:
    if not settings.MULTITENANT_ENABLED:
        return dict.fromkeys(numbers, Tenant.objects.single().pk)
    accounts = WhatsAppAccount.objects.filter(phone_number_id__in=numbers)
    return dict(accounts.values_list("phone_number_id", "tenant_id"))


def _row(event: Rejected, tenant_id: int | None) -> QuarantinedEvent:
    content = json.dumps([event.reason, event.raw], sort_keys=True)
    return QuarantinedEvent(
        # Signed by another app, so not visible to the tenant whose number it names.
        tenant_id=None if event.reason == "signed by another app" else tenant_id,
        reason=event.reason[:255],
        field=event.field[:100],
        phone_number_id=event.phone_number_id[:255],
        raw=event.raw,
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def resolve(event: QuarantinedEvent) -> None:
    QuarantinedEvent.objects.filter(pk=event.pk).update(resolved_at=Now())
