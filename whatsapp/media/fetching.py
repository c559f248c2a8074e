"""Fetches the files of customers' messages and stores them."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from assistant.files import extraction
from conversations.files.attachments import Attachment, backlog, stored_name
from conversations.models import ConversationMessage
from runtime.clock import from_now
from runtime.database import database_sync_to_async
from whatsapp.graph import access
from whatsapp.webhook.types import Media

from .download import Spool, Wanted, fetch
from .errors import FetchFailed

logger = logging.getLogger(__name__)

State = Attachment.State
MARGIN_SECONDS = 120  # the part of the lease that's for storing the file
BACKLOG = backlog("whatsapp.tasks.fetch", State.PENDING, lambda: settings.MEDIA_SECONDS + MARGIN_SECONDS)


@dataclass(frozen=True, slots=True)
class Task:
    """A file to fetch, with its claimed row."""

    attachment: Attachment
    wanted: Wanted
    problem: str  # why it can't be requested; '' if it can


def expect(found: Iterable[tuple[int, str, Media]]) -> None:
    """Store rows for the files of new messages (ID, kind, file) and defer the jobs that fetch them."""
    files = list(found)
    messages = ConversationMessage.objects.filter(pk__in=[message_id for message_id, _, _ in files])
    tenants = dict(messages.values_list("pk", "conversation__tenant")) if files else {}
    rows = [
        Attachment(
            message_id=message_id,
            tenant_id=tenants[message_id],
            kind=kind,
            media_id=media.id,
            mime_type=media.mime_type,
            sha256=media.sha256,
            filename=media.filename,
            next_attempt_at=Now(),
        )
        for message_id, kind, media in files
    ]
    BACKLOG.wake(len(Attachment.objects.bulk_create(rows)))


async def fetch_one(attachment_id: int) -> None:
    """Make one attempt at a file that was just claimed."""
    task = await database_sync_to_async(_prepare)(attachment_id)
    if task is None:
        return
    with closing(Spool(task.wanted.limit)) as spool:
        try:
            if task.problem:
                raise FetchFailed("token", f"The file can't be requested: {task.problem}.")
            real = await fetch(task.wanted, spool)
            name = stored_name(real)
            if not await database_sync_to_async(_announced)(task.attachment, name):
                return  # another worker has claimed the row
            await asyncio.to_thread(_put, spool, name, str(task.attachment.file.name or ""))
        except FetchFailed as failure:
            logger.warning("attachment %s not fetched: %s", attachment_id, failure)
            await database_sync_to_async(_failed)(task.attachment, failure)
            return
        if not await database_sync_to_async(_stored)(task.attachment, name, real, spool):
            await asyncio.to_thread(default_storage.delete, name)  # another worker has claimed the row


def _prepare(attachment_id: int) -> Task | None:
    attachment = Attachment.objects.claimed(attachment_id, State.PENDING)
    if attachment is None:
        return None
    phone_number_id = attachment.message.conversation.phone_number_id
    try:
        way = access.sending_access([phone_number_id])[0]
        token, problem = way.token, way.problem
    except ImproperlyConfigured as error:  # none of our keys decrypts the token
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
    """Record the file's name before storing it, so that a file left behind by a crash is known. Returns whether the row
    is still ours."""
    with transaction.atomic():
        return bool(Attachment.objects.held(attachment).update(file=name))


def _put(spool: Spool, name: str, left_behind: str) -> None:
    """Store the file, and remove any left by an earlier attempt."""
    spool.file.seek(0)
    try:
        if left_behind:
            default_storage.delete(left_behind)
        default_storage.save(name, File(spool.file))
    except Exception as error:
        logger.exception("a file couldn't be stored")
        raise FetchFailed("unavailable", f"The file couldn't be stored: {type(error).__name__}.") from error


def _stored(attachment: Attachment, name: str, mime_type: str, spool: Spool) -> bool:
    """Record that the file is stored. Returns whether the row was still ours."""
    to_read = extraction.wants(attachment.kind, mime_type)
    with transaction.atomic():
        held = Attachment.objects.held(attachment).update(
            state=State.READING if to_read else State.READY,
            file=name,
            mime_type=mime_type,
            sha256=spool.sha256,
            size=spool.size,
            error="",
            fence=0,
            next_attempt_at=Now() if to_read else None,
        )
        if held and to_read:
            extraction.BACKLOG.wake(1)
        elif held:
            extraction.settled()
    return bool(held)


def _failed(attachment: Attachment, failure: FetchFailed) -> None:
    """Try again later, or give up; the message then shows the reason."""
    wait = failure.wait(attachment.fence)
    mine = Attachment.objects.held(attachment)
    with transaction.atomic():
        if wait is not None:
            mine.update(error=failure.detail, next_attempt_at=from_now(wait * settings.RETRY_TIME_SCALE))
        elif mine.update(state=State.FAILED, error=failure.detail, next_attempt_at=None):
            extraction.settled()
