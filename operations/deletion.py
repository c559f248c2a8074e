"""Deleting everything that belongs to a business, in batches."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import CASCADE, Model, QuerySet

from api.models import ApiKey
from conversations.models import Conversation
from tenants.models import Tenant
from webhooks.models import WebhookEndpoint
from whatsapp.models import WhatsAppAccount

BATCH = 200  # rows per transaction
BATCHES = 5  # per job, so that other jobs get their turn and a worker can stop

# First what lets new rows in; then the conversations, which most other rows depend on.
FIRST: tuple[type[Model], ...] = (WhatsAppAccount, ApiKey, WebhookEndpoint, Conversation)


def delete_some(tenant_id: int) -> bool:
    """Delete the next batches of a business that is marked for deletion. Whether more is left."""
    tenants = Tenant.objects.filter(pk=tenant_id, deletion_requested_at__isnull=False)
    batches = (batch for rows in _rows(tenants) for batch in _in_batches(rows))
    return len(list(islice(batches, BATCHES))) == BATCHES


def _rows(tenants: "QuerySet[Tenant]") -> "Iterator[QuerySet[Any]]":
    for model in FIRST:
        yield model._base_manager.filter(tenant__in=tenants)
    yield tenants


def _in_batches(rows: "QuerySet[Any]") -> Iterator[int]:
    """Delete rows and everything that depends on them, bottom up: how many, per transaction."""
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        for relation in rows.model._meta.related_objects:
            if relation.on_delete is CASCADE:
                dependent = relation.related_model._base_manager
                yield from _in_batches(dependent.filter(**{f"{relation.field.name}__in": ids}))
        with transaction.atomic():
            deleted, _ = rows.model._base_manager.filter(pk__in=ids).delete()
        yield deleted
