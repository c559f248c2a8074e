"""Deleting everything that belongs to a business, in batches."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

from api.models import ApiKey
from conversations.models import Conversation
from tenants.models import Tenant
from webhooks.models import WebhookEndpoint
from whatsapp.models import WhatsAppAccount

from . import rows

BATCH = 200  # rows per transaction
BATCHES = 5  # per job, so that other jobs get their turn and a worker can stop

# First what lets new rows in; then the conversations, which most other rows depend on.
FIRST: tuple[type[Model], ...] = (WhatsAppAccount, ApiKey, WebhookEndpoint, Conversation)


def delete_some(tenant_id: int) -> bool:
    """Delete the next batches of a business that is marked for deletion. Whether more is left."""
    batches = 0
    for each in _rows(Tenant.objects.filter(pk=tenant_id, deletion_requested_at__isnull=False)):
        deleted = BATCH
        while deleted == BATCH:
            if batches == BATCHES:
                return True
            with transaction.atomic():
                deleted = rows.delete_some(each, BATCH).total()
            batches += 1
    return False


def _rows(tenants: "QuerySet[Tenant]") -> "Iterator[QuerySet[Any]]":
    for model in FIRST:
        yield model._base_manager.filter(tenant__in=tenants)
    yield tenants
