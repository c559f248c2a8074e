"""The jobs of one step of a file's way, fetching or reading: woken, put off, found again, not too many at once."""

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from runtime import notify
from runtime.clock import from_now
from runtime.database import database_sync_to_async

from .attachments import Attachment

AGAIN = dt.timedelta(seconds=2)
LONG_DUE = dt.timedelta(minutes=1)  # whatever our clock and the database's differ


@dataclass(frozen=True, slots=True)
class AttachmentJobs:
    task: str
    state: str  # of the rows that the jobs are for
    at_once: int  # in this process
    _under_way: set[int] = field(default_factory=set)

    async def run(self, attachment_id: int, work: Callable[[int], Awaitable[None]]) -> None:
        """Do the work, unless it is being done; or later, when there is too much of it. Harmless to run twice."""
        if len(self._under_way) >= self.at_once:
            await database_sync_to_async(self.wake)([attachment_id], timezone.now() + AGAIN)
        elif attachment_id not in self._under_way:
            self._under_way.add(attachment_id)
            try:
                await work(attachment_id)
            finally:
                self._under_way.discard(attachment_id)

    def wake(self, attachment_ids: Iterable[int], at: dt.datetime | None = None) -> None:
        """Now, or at that time."""
        jobs: list[dict[str, JSONValue]] = [{"attachment_id": pk} for pk in attachment_ids]
        if jobs:
            # A time of its own: such a job notifies nobody within the transaction, see `bell`.
            app.configure_task(self.task, schedule_at=at or timezone.now() - LONG_DUE).batch_defer(*jobs)
        if jobs and at is None:
            transaction.on_commit(notify.notify_workers)

    def put_off(self, attachment: Attachment, detail: str, seconds: float) -> None:
        """The next attempt, and why this one failed. Call it in a transaction."""
        if Attachment.objects.held(attachment).update(error=detail, next_attempt_at=from_now(seconds)):
            # The time as the database has it: a job that came early by our clock would find nothing due.
            due = Attachment.objects.values_list("next_attempt_at", flat=True).get(pk=attachment.pk)
            self.wake([attachment.pk], due)

    def sweep(self) -> int:
        """Find files whose job was lost. How many."""
        with transaction.atomic():
            asleep = Attachment.objects.asleep(self.state)
            self.wake(asleep)
        return len(asleep)
