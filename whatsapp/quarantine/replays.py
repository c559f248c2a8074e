"""Replaying many quarantined pieces: a job that goes through them one by one, and what came of each."""

import logging
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from whatsapp.models import QuarantinedEvent, Replay, ReplayedEvent
from whatsapp.webhook import ingest

logger = logging.getLogger(__name__)

AT_ONCE = 50  # pieces between two looks whether the worker is to stop


@dataclass(frozen=True, slots=True)
class Progress:
    total: int
    done: int
    stored: int
    refused: list[tuple[str, int]]  # why, and how many

    @property
    def is_over(self) -> bool:
        return self.done == self.total

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100


def start(events: "QuerySet[QuarantinedEvent]", person_id: int | None) -> Replay:
    """Take these pieces down, those that are open, and defer the job that replays them."""
    with transaction.atomic():
        replay = Replay.objects.create(started_by_id=person_id)
        open_ones = events.filter(resolved_at__isnull=True).order_by("pk").values_list("pk", flat=True)
        ReplayedEvent.objects.bulk_create(
            (ReplayedEvent(replay=replay, event_id=pk) for pk in open_ones.iterator(chunk_size=2000)), batch_size=2000
        )
        app.configure_task("whatsapp.tasks.replay").defer(replay_id=replay.pk)
    return replay


def go_on(replay_id: int) -> int:
    """Replay the next pieces; how many. Each is entered when it is done: who comes after a crash goes on from there.

    A piece that was stored, but not entered, is stored once: its message is known by its wamid.
    """
    waiting = ReplayedEvent.objects.filter(replay=replay_id, done_at__isnull=True).select_related("event")
    items = list(waiting.order_by("pk")[:AT_ONCE])
    for item in items:
        refusal = "" if item.event.resolved_at else _replay(item.event)
        ReplayedEvent.objects.filter(pk=item.pk).update(done_at=Now(), refusal=refusal[:255])
    return len(items)


def _replay(event: QuarantinedEvent) -> str:
    try:
        return ingest.replay(event)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the job comes back
    except Exception as error:
        logger.exception("quarantined event %s cannot be replayed", event.pk)
        return f"cannot be stored: {type(error).__name__}"


def progress(items: "QuerySet[ReplayedEvent]") -> Progress:
    done = Q(done_at__isnull=False)
    counts = items.aggregate(
        total=Count("pk"), done=Count("pk", filter=done), stored=Count("pk", filter=done & Q(refusal=""))
    )
    refused = items.exclude(refusal="").values_list("refusal").annotate(number=Count("pk")).order_by("-number")
    return Progress(**counts, refused=list(refused))
