"""Requesting an export, and deleting those that have expired."""

from typing import Any

from django.db import transaction
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from privacy import rows
from privacy.models import Export
from privacy.people import Person
from runtime import jobs
from runtime.clock import from_now
from tenants.models import Tenant

TASK = "privacy.tasks.write_export"
KEPT_DAYS = 3


def expiry() -> Combinable:
    return from_now(KEPT_DAYS * 86_400)


def request(tenant: Tenant, person: Person | None, user: Any) -> Export:
    """Have the workers export what a business has about a person, or everything. One at a time: while such an export
    is being written, it's that one."""
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        subject = {
            "identifiers": list(person.identifiers) if person else None,
            "conversations": list(person.conversations) if person else None,
        }
        running = Export.objects.filter(tenant=tenant, finished_at=None, **subject).first()
        if running:
            return running
        export = Export.objects.create(tenant=tenant, requested_by=user, expires_at=expiry(), **subject)
        jobs.defer(TASK, {"export_id": export.pk})
    return export


def find_lost() -> int:
    """Defer the jobs of exports again that were lost or failed. A recurring function."""
    unfinished = Export.objects.filter(finished_at=None).values_list("pk", flat=True)[: jobs.BATCH]
    return jobs.defer_lost(TASK, "export_id", unfinished)


def delete_expired() -> int:
    """Delete exports that have expired, with their files. A recurring function."""
    with transaction.atomic():
        return rows.delete_some(Export.objects.filter(expires_at__lte=Now()), jobs.BATCH).total()
