"""The jobs that notify people, and recurring functions."""

from django.db import transaction
from django.db.models import Q
from procrastinate.contrib.django import app

from runtime.clock import ago
from runtime.database import database_sync_to_async
from runtime.jobs import BATCH, every

from . import delivering, incidents, telling
from .models import NotificationDelivery, NotificationIncident
from .telling import BACKLOG

KEPT_SECONDS = 30 * 86_400  # the log


@app.task(queue="notifications", name=incidents.TELL_TASK)
async def tell() -> None:
    """Tell the next in line of what is due. Safe to run twice."""
    await database_sync_to_async(telling.tell_due)()


@app.task(queue="notifications")
async def deliver() -> None:
    """Send the next email or push message that is due. Safe to run twice."""
    await BACKLOG.run(delivering.deliver)


# Escalations, and what a lost job would have done.
every(1)(telling.tell_due)
every(60)(telling.collect_digests)


@every(1)
def find_due() -> int:
    return BACKLOG.find_due()


@every(60)
def delete_old() -> int:
    old = NotificationIncident.objects.filter(closed_at__lt=ago(KEPT_SECONDS)).order_by("closed_at")
    with transaction.atomic():
        ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
        NotificationIncident.objects.filter(pk__in=ids).delete()
    return len(ids)


@every(3600)
def delete_old_tests_and_digests() -> int:
    old = NotificationDelivery.objects.filter(Q(incident=None), created_at__lt=ago(KEPT_SECONDS))
    return old.filter(pk__in=old.values("pk")[:BATCH]).delete()[0]
