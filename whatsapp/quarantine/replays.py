"""Retry quarantined events: one job per event, and the result is stored on the event."""

import logging

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.db.models.functions import Now

from runtime import jobs
from runtime.group_commit import NotStored
from whatsapp.models import QuarantinedEvent
from whatsapp.webhook import ingest
from whatsapp.webhook.storing import RowLocked

logger = logging.getLogger(__name__)


def start(events: QuerySet[QuarantinedEvent]) -> int:
    """Defer a retry of each of these events that isn't resolved yet. Returns their number."""
    unresolved = events.filter(resolved_at__isnull=True).order_by("pk").values_list("pk", flat=True)
    jobs.defer("whatsapp.tasks.replay", *[{"event_id": pk} for pk in unresolved])
    return len(unresolved)


def replay(event_id: int) -> None:
    """Retry one event. Safe to run twice: a message is stored once by its wamid."""
    event = QuarantinedEvent.objects.filter(pk=event_id, resolved_at__isnull=True).first()
    if event is None:
        return
    try:
        error = ingest.replay(event)
    except (OperationalError, InterfaceError, NotStored, RowLocked):
        raise  # the database is unavailable: the job is retried
    except Exception as failure:
        logger.exception("quarantined event %s can't be stored", event.pk)
        error = f"cannot be stored: {type(failure).__name__}"
    QuarantinedEvent.objects.filter(pk=event.pk).update(error=error, retried_at=Now())
