"""What the workers delete: businesses, people, and what is older than a business keeps it. And exports."""

import asyncio
import datetime as dt
from contextlib import closing

from procrastinate.contrib.django import app

from runtime import jobs
from runtime.database import database_sync_to_async
from tenants.deletion import TASK
from tenants.models import Tenant
from tenants.suspension import state

from . import businesses, erasing, installation, resuming, retention
from .exporting import requesting, writing
from .models import Export

jobs.every(2)(erasing.erase_some)
jobs.every(60)(retention.apply_some)
jobs.every(60)(requesting.find_lost)
jobs.every(60)(requesting.delete_expired)
jobs.every(3600)(installation.delete_old_sign_ins)
jobs.every(3600)(installation.delete_expired_sessions)


@app.task(queue="maintenance", name=TASK)
async def delete_tenant(tenant_id: int) -> None:
    """Delete some rows of a business, and leave the rest to the next job. Safe to run twice."""
    if await database_sync_to_async(businesses.delete_some)(tenant_id):
        await database_sync_to_async(jobs.defer)(TASK, {"tenant_id": tenant_id})


@jobs.every(60)
def resume_deletions() -> int:
    """Defer the job of a deletion again if it was lost or failed."""
    marked = Tenant.objects.filter(deletion_requested_at__isnull=False).values_list("pk", flat=True)[: jobs.BATCH]
    return jobs.defer_lost(TASK, "tenant_id", marked)


@app.task(queue="maintenance", name=requesting.TASK)
async def write_export(export_id: int) -> None:
    """Write the next part of an export, and leave the rest to the next job. Safe to run twice.

    The database's threads only read some rows at a time; zipping and storing happen in others.
    """
    export = await database_sync_to_async(Export.objects.filter(pk=export_id, finished_at=None).first)()
    if export is None:
        return
    try:
        with closing(await database_sync_to_async(writing.PartWriter)(export)) as writer:
            while (found := await database_sync_to_async(writer.read)()) is not None:
                await asyncio.to_thread(writer.write, *found)
            await database_sync_to_async(writer.announce)()
            await asyncio.to_thread(writer.store)
            more = await database_sync_to_async(writer.record)()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        await database_sync_to_async(Export.objects.filter(pk=export_id).update)(error=reason)
        raise
    if more:
        await database_sync_to_async(jobs.defer)(requesting.TASK, {"export_id": export_id})


@app.task(queue="maintenance", name=state.RESUME_TASK)
async def resume_tenant(tenant_id: int, since: str, after: int) -> None:
    """Go on with what waited while a business was suspended, and leave the rest to the next job. Safe to run twice."""
    if not after:
        await database_sync_to_async(resuming.release)(tenant_id)
    last = await database_sync_to_async(resuming.answer_some)(tenant_id, dt.datetime.fromisoformat(since), after)
    if last is not None:
        following: dict[str, str | int] = {"tenant_id": tenant_id, "since": since, "after": last}
        await database_sync_to_async(jobs.defer)(state.RESUME_TASK, following)
