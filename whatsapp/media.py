"""The files of customers' messages: their rows, from the delivery that names one to its place in the storage."""

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from assistant import reading
from conversations import bell
from conversations.attachments import Attachment, stored_name
from conversations.times import from_now

from . import way_out
from .downloads import Spool, Wanted, fetch
from .events import Media
from .media_errors import FetchFailed

logger = logging.getLogger(__name__)

State = Attachment.State
MARGIN_SECONDS = 120  # of the lease: to put the file into the storage
LONG_DUE = dt.timedelta(minutes=1)  # whatever our clock and the database's differ


@dataclass(frozen=True, slots=True)
class Task:
    """A file to fetch, with its row as it was taken."""

    attachment: Attachment
    wanted: Wanted
    problem: str  # why it cannot be asked for, '' when it can


def expect(found: Iterable[tuple[int, str, Media]]) -> None:
    """Rows for the files of new messages (id, kind, file), and the jobs that fetch them, in the same transaction."""
    rows = [
        Attachment(
            message_id=message_id,
            kind=kind,
            media_id=media.id,
            mime_type=media.mime_type,
            sha256=media.sha256,
            filename=media.filename,
            next_attempt_at=Now(),
        )
        for message_id, kind, media in found
    ]
    if rows:
        wake(row.pk for row in Attachment.objects.bulk_create(rows))
        transaction.on_commit(bell.ring)


def wake(attachment_ids: Iterable[int], at: dt.datetime | None = None) -> None:
    jobs: list[dict[str, JSONValue]] = [{"attachment_id": pk} for pk in attachment_ids]
    if jobs:
        # A time of its own: such a job notifies nobody within the transaction, see `conversations.bell`.
        app.configure_task("whatsapp.tasks.fetch", schedule_at=at or timezone.now() - LONG_DUE).batch_defer(*jobs)


async def fetch_one(attachment_id: int) -> None:
    """One attempt for a file that is due. Harmless to run twice."""
    task = await sync_to_async(_take)(attachment_id)
    if task is None:
        return
    with Spool(task.wanted.limit) as spool:
        try:
            if task.problem:
                raise FetchFailed("token", f"The file cannot be asked for: {task.problem}.")
            real = await fetch(task.wanted, spool)
            name = await asyncio.to_thread(_put, spool, real)
        except FetchFailed as failure:
            logger.warning("attachment %s not fetched: %s", attachment_id, failure)
            await sync_to_async(_failed)(task.attachment, failure)
            return
        if not await sync_to_async(_stored)(task.attachment, name, real, spool):
            await asyncio.to_thread(default_storage.delete, name)  # another worker was given the row meanwhile


def _take(attachment_id: int) -> Task | None:
    attachment = Attachment.objects.take(attachment_id, State.PENDING, settings.MEDIA_SECONDS + MARGIN_SECONDS)
    if attachment is None:
        return None
    phone_number_id = attachment.message.conversation.phone_number_id
    try:
        way = way_out.find(phone_number_id)
        token, problem = way.token, way.problem
    except ImproperlyConfigured as error:  # a token that no key of ours opens
        token, problem = "", str(error)
    wanted = Wanted(
        media_id=attachment.media_id,
        kind=attachment.kind,
        mime_type=attachment.mime_type,
        sha256=attachment.sha256,
        phone_number_id=phone_number_id,
        token=token,
    )
    return Task(attachment, wanted, problem)


def _put(spool: Spool, mime_type: str) -> str:
    """Into the storage; the answer is its name there."""
    spool.file.seek(0)
    try:
        return default_storage.save(stored_name(mime_type), File(spool.file))
    except Exception as error:
        logger.exception("a file could not be stored")
        raise FetchFailed("unavailable", f"The file could not be stored: {type(error).__name__}.") from error


def _stored(attachment: Attachment, name: str, mime_type: str, spool: Spool) -> bool:
    """Whether the row was still ours."""
    to_read = reading.wants(attachment.kind, mime_type)
    with transaction.atomic():
        held = Attachment.objects.held(attachment).update(
            state=State.READING if to_read else State.READY,
            file=name,
            mime_type=mime_type,
            sha256=spool.sha256,
            size=spool.size,
            error="",
            attempts=0,
            next_attempt_at=Now() if to_read else None,
        )
        if held and to_read:
            reading.wake([attachment.pk])
        elif held:
            reading.settled(attachment)
    return bool(held)


def _failed(attachment: Attachment, failure: FetchFailed) -> None:
    """Again later, or not available: then the reason stands on the message."""
    wait = failure.wait(attachment.attempts)
    held = Attachment.objects.held(attachment)
    with transaction.atomic():
        if wait is None:
            if held.update(state=State.FAILED, error=failure.detail, next_attempt_at=None):
                reading.settled(attachment)
        elif held.update(error=failure.detail, next_attempt_at=from_now(wait * settings.RETRY_TIME_SCALE)):
            wake([attachment.pk], Attachment.objects.values_list("next_attempt_at", flat=True).get(pk=attachment.pk))


def sweep() -> int:
    """Find files whose job was lost. How many."""
    with transaction.atomic():
        asleep = Attachment.objects.asleep(State.PENDING)
        wake(asleep)
    return len(asleep)
