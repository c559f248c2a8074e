"""Deleting a business: marked at once, then deleted by a job in small transactions (`privacy.businesses`)."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from audit import watching
from runtime import jobs

from .models import Membership, Tenant

TASK = "privacy.tasks.delete_tenant"


def request(tenant_ids: Sequence[int]) -> None:
    """Mark businesses for deletion. From now on they're inactive, no one has a role in them, and no list shows them."""
    with transaction.atomic():
        named = Tenant.objects.filter(pk__in=tenant_ids)
        watching.update(named, is_active=False, is_single=False, deletion_requested_at=Now())
        with watching.quietly():
            Membership.objects.filter(tenant__in=tenant_ids).delete()
        jobs.defer(TASK, *[{"tenant_id": tenant_id} for tenant_id in tenant_ids])
