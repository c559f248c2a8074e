"""What was authentic but could not become a row: kept with its reason, replayed after the fix."""

import hashlib
import json
from collections.abc import Iterable

from django.conf import settings
from django.db.models.functions import Now

from tenants.models import Tenant
from whatsapp.models import QuarantinedEvent, WhatsAppAccount
from whatsapp.webhook.types import Rejected


def keep(rejected: Iterable[Rejected], error: str = "") -> None:
    """Store these pieces, each once however often Meta repeats it."""
    pieces = list(rejected)
    if not pieces:
        return
    numbers = {piece.phone_number_id for piece in pieces}
    tenants = _tenants_of(numbers)
    QuarantinedEvent.objects.bulk_create(
        [_row(piece, tenants.get(piece.phone_number_id), error) for piece in pieces], ignore_conflicts=True
    )


def _tenants_of(numbers: set[str]) -> dict[str, int]:
    if not settings.MULTITENANT_ENABLED:
        return dict.fromkeys(numbers, Tenant.objects.single().pk)
    accounts = WhatsAppAccount.objects.filter(phone_number_id__in=numbers)
    return dict(accounts.values_list("phone_number_id", "tenant_id"))


def _row(piece: Rejected, tenant_id: int | None, error: str) -> QuarantinedEvent:
    content = json.dumps([piece.reason, piece.raw], sort_keys=True)
    return QuarantinedEvent(
        # What another app signed is not for the eyes of the tenant whose number it names.
        tenant_id=None if piece.reason == "signed by another app" else tenant_id,
        reason=piece.reason[:255],
        field=piece.field[:100],
        phone_number_id=piece.phone_number_id[:255],
        raw=piece.raw,
        error=error,
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def resolve(event: QuarantinedEvent) -> None:
    QuarantinedEvent.objects.filter(pk=event.pk).update(resolved_at=Now())
