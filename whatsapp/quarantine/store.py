"""Keeps what is authentic but can't be stored, with the reason, so that it can be replayed after a fix."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models.functions import Now

from whatsapp.models import QuarantinedEvent
from whatsapp.webhook.types import Rejected, Signer


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A rejected item, the tenant who may see it, and who signed it."""

    item: Rejected
    tenant_id: int | None
    signer: Signer


def keep(items: Iterable[Quarantined]) -> None:
    """Store these items. However often Meta repeats an item, it's stored once."""
    rows = [_row(quarantined) for quarantined in items]
    if rows:
        QuarantinedEvent.objects.bulk_create(rows, ignore_conflicts=True)


def _row(quarantined: Quarantined) -> QuarantinedEvent:
    item, signed_by = quarantined.item, quarantined.signer.as_column
    # With the tenant and the signer: one app can't hide what another one sends by sending it first.
    content = json.dumps([item.reason, item.raw, quarantined.tenant_id, signed_by], sort_keys=True)
    return QuarantinedEvent(
        tenant_id=quarantined.tenant_id,
        reason=item.reason[:255],
        field=item.field[:100],
        phone_number_id=item.phone_number_id[:255],
        raw=item.raw,
        signed_by=signed_by,
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def resolve(event: QuarantinedEvent) -> None:
    """It's stored now. A copy of it would outlive a message that its sender deletes."""
    QuarantinedEvent.objects.filter(pk=event.pk).update(resolved_at=Now(), raw={})
