"""The files of customers' messages: their rows, from the delivery that names one to its place in the storage."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from assistant.files import extraction
from conversations.files.attachments import Attachment, stored_name
from conversations.files.jobs import AttachmentJobs
from runtime.database import database_sync_to_async
from whatsapp.graph import access
from whatsapp.webhook.types import Media

from .download import Spool, Wanted, fetch
from .errors import FetchFailed

logger = logging.getLogger(__name__)

State = Attachment.State
JOBS = AttachmentJobs("whatsapp.tasks.fetch", State.PENDING, at_once=16)  # each may need its size on the disk
MARGIN_SECONDS = 120  # of the lease: to put the file into the storage


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
        JOBS.wake(row.pk for row in Attachment.objects.bulk_create(rows))


async def fetch_one(attachment_id: int) -> None:
    """One attempt for a file that is due. Harmless to run twice."""
    task = await database_sync_to_async(_take)(attachment_id)
    if task is None:
        return
    with Spool(task.wanted.limit) as spool:
        try:
            if task.problem:
                raise FetchFailed("token", f"The file cannot be asked for: {task.problem}.")
            real = await fetch(task.wanted, spool)
            name = stored_name(real)
            if not await database_sync_to_async(_announced)(task.attachment, name):
                return  # another worker was given the row meanwhile
            await asyncio.to_thread(_put, spool, name, str(task.attachment.file.name or ""))
        except FetchFailed as failure:
            logger.warning("attachment %s not fetched: %s", attachment_id, failure)
            await database_sync_to_async(_failed)(task.attachment, failure)
            return
        if not await database_sync_to_async(_stored)(task.attachment, name, real, spool):
            await asyncio.to_thread(default_storage.delete, name)  # another worker was given the row meanwhile


def _take(attachment_id: int) -> Task | None:
    attachment = Attachment.objects.take(attachment_id, State.PENDING, settings.MEDIA_SECONDS + MARGIN_SECONDS)
    if attachment is None:
        return None
    phone_number_id = attachment.message.conversation.phone_number_id
    try:
        way = access.sending_access([phone_number_id])[0]
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


def _announced(attachment: Attachment, name: str) -> bool:
    """The row knows the name before the storage has the file: what a crash leaves behind is never forgotten."""
    return bool(Attachment.objects.held(attachment).update(file=name))


def _put(spool: Spool, name: str, left_behind: str) -> None:
    """Into the storage, in place of what an attempt before it may have left there."""
    spool.file.seek(0)
    try:
        if left_behind:
            default_storage.delete(left_behind)
        default_storage.save(name, File(spool.file))
    except Exception as error:
        logger.exception("a file could not be stored")
        raise FetchFailed("unavailable", f"The file could not be stored: {type(error).__name__}.") from error


def _stored(attachment: Attachment, name: str, mime_type: str, spool: Spool) -> bool:
    """Whether the row was still ours."""
    to_read = extraction.wants(attachment.kind, mime_type)
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
            extraction.JOBS.wake([attachment.pk])
        elif held:
            extraction.settled()
    return bool(held)


def _failed(attachment: Attachment, failure: FetchFailed) -> None:
    """Again later, or not available: then the reason stands on the message."""
    wait = failure.wait(attachment.attempts)
    with transaction.atomic():
        if wait is not None:
            JOBS.put_off(attachment, failure.detail, wait * settings.RETRY_TIME_SCALE)
        elif Attachment.objects.held(attachment).update(state=State.FAILED, error=failure.detail, next_attempt_at=None):
            extraction.settled()


def sweep() -> int:
    return JOBS.sweep()
