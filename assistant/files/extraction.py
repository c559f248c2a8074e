"""What is in a file that was fetched: said in a voice note, seen in a picture, written in a document."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, cast

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from assistant.model import client as model_client
from assistant.model import retries
from assistant.model.client import ModelFailed
from assistant.models import Assistant
from assistant.turns import policy
from conversations.files.attachments import Attachment, opened, preview_name
from conversations.files.file_types import extension
from conversations.files.jobs import AttachmentJobs
from conversations.outbox.pauses import active_pause
from runtime.database import database_sync_to_async
from runtime.notify import notify_workers_on_commit

from . import documents, images

logger = logging.getLogger(__name__)

State = Attachment.State
JOBS = AttachmentJobs("assistant.tasks.read", State.READING, at_once=16)
LEASE_SECONDS = 300  # longer than any of it takes, with the wait for a free hand
MOST_ATTEMPTS = 8  # a file that ends its workers must not do so for ever
LONGEST_TRANSCRIPT = 20_000  # characters
# Each has a process beside it, which takes memory.
_hands = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reading")


@dataclass(frozen=True, slots=True)
class Findings:
    transcript: str = ""
    preview: str = ""  # its name in the storage


class ReadFailed(Exception):
    """Nothing was learned from a file; `wait`: seconds until the next attempt, None: there is none."""

    def __init__(self, detail: str, wait: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.wait = wait


def wants(kind: str, mime_type: str) -> bool:
    """Whether there is something to learn from such a file."""
    return kind in ("audio", "image") or (kind == "document" and mime_type in documents.READABLE)


def settled() -> None:
    """Nothing more comes of a file: a turn that waits for it may go on, once the transaction is committed."""
    notify_workers_on_commit()


async def read_one(attachment_id: int) -> None:
    """One attempt to learn what is in a file. Harmless to run twice."""
    attachment = await database_sync_to_async(Attachment.objects.take)(attachment_id, State.READING, LEASE_SECONDS)
    if attachment is None:
        return
    try:
        findings = await _read(attachment)
    except ReadFailed as failure:
        logger.warning("attachment %s could not be read: %s", attachment_id, failure.detail)
        await database_sync_to_async(_failed)(attachment, failure)
    except Exception as error:
        logger.exception("attachment %s: not foreseen while it was read", attachment_id)
        await database_sync_to_async(_failed)(attachment, ReadFailed(f"It could not be read: {type(error).__name__}."))
    else:
        await database_sync_to_async(_ready)(
            attachment, transcript=findings.transcript, preview=findings.preview, error=""
        )


async def _read(attachment: Attachment) -> Findings:
    if attachment.attempts > MOST_ATTEMPTS:
        raise ReadFailed("It was given up: its workers ended again and again.")
    if attachment.kind == "audio":
        return Findings(transcript=await _heard(attachment))
    return await asyncio.get_running_loop().run_in_executor(_hands, _seen, attachment)


def _seen(attachment: Attachment) -> Findings:
    try:
        with opened(str(attachment.file.name)) as stored:
            file = cast("IO[bytes]", stored.file)
            if attachment.kind == "image":
                small = images.shrink(file)
                return Findings(preview=_kept(small, preview_name(str(attachment.file.name))))
            return Findings(transcript=documents.text_of(file, attachment.mime_type))
    except (images.BadPicture, documents.Unreadable) as failure:
        raise ReadFailed(str(failure)) from failure


def _kept(small: bytes, name: str) -> str:
    default_storage.delete(name)  # of a worker that ended before its row said so
    return default_storage.save(name, ContentFile(small))


async def _heard(attachment: Attachment) -> str:
    assistant = await database_sync_to_async(_listener)(attachment)
    name = f"voice.{extension(attachment.mime_type)}"
    try:
        with await asyncio.to_thread(opened, str(attachment.file.name)) as stored:
            file = cast("IO[bytes]", stored.file)
            text = await model_client.transcribe(file, name, attachment.mime_type, assistant)
    except ModelFailed as failure:
        raise ReadFailed(
            f"It could not be transcribed: {failure.detail}", _wait(failure, attachment.attempts)
        ) from None
    if not text:
        raise ReadFailed("Nothing was heard in it.")
    return text[:LONGEST_TRANSCRIPT]


def _listener(attachment: Attachment) -> Assistant:
    """The assistant whose model transcribes. Raises ReadFailed when it is not to be asked."""
    conversation = attachment.message.conversation
    assistant = policy.assistant_of(conversation)
    if policy.is_over_budget(assistant, policy.tokens_today(conversation.tenant_id)):
        raise ReadFailed(f"It was not transcribed: {policy.Silence.OUT_OF_BUDGET.label}.")
    if pause := active_pause([retries.scope(assistant)], assistant.key.strip()):
        raise ReadFailed(f"It was not transcribed: {pause.reason}")
    return assistant


def _wait(failure: ModelFailed, attempts_made: int) -> float | None:
    """Seconds until the next attempt, by the table that also holds for answers."""
    waits = failure.rule.waits
    if attempts_made > len(waits):
        return None
    return float(max(waits[attempts_made - 1], min(failure.retry_after or 0, 60)) * settings.RETRY_TIME_SCALE)


def _failed(attachment: Attachment, failure: ReadFailed) -> None:
    if failure.wait is None:
        _ready(attachment, error=failure.detail)
        return
    with transaction.atomic():
        JOBS.put_off(attachment, failure.detail, failure.wait)


def _ready(attachment: Attachment, **columns: str) -> None:
    with transaction.atomic():
        if Attachment.objects.held(attachment).update(state=State.READY, attempts=0, next_attempt_at=None, **columns):
            settled()
            return
    if columns.get("preview") and not Attachment.objects.filter(pk=attachment.pk).exists():
        default_storage.delete(columns["preview"])  # its sender deleted the message meanwhile


def sweep() -> int:
    return JOBS.sweep()
