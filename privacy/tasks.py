"""What the workers delete: businesses, people, and what is older than a business keeps it."""

from procrastinate.contrib.django import app

from runtime import jobs
from runtime.database import database_sync_to_async
from tenants.deletion import TASK
from tenants.models import Tenant

from . import businesses, erasing, retention

jobs.every(2)(erasing.erase_some)
jobs.every(60)(retention.apply_some)


@app.task(queue="maintenance", name=TASK)
async def delete_tenant(tenant_id: int) -> None:
    """Delete some rows of a business, and leave the rest to the next job. Safe to run twice."""
    if await database_sync_to_async(businesses.delete_some)(tenant_id):
        await database_sync_to_async(jobs.defer)(TASK, {"tenant_id": tenant_id})


@jobs.every(60)
def resume_deletions() -> int:
    """Defer the job of a deletion again if it was lost or failed."""
    marked = Tenant.objects.filter(deletion_requested_at__isnull=False).values_list("pk", flat=True)[: jobs.BATCH]
    lost = [pk for pk in marked if not jobs.is_pending(TASK, tenant_id=pk)]
    jobs.defer(TASK, *[{"tenant_id": pk} for pk in lost])
    return len(lost)
