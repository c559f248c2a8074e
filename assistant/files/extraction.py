"""Extract what the model needs from a fetched file: a voice message's transcript, a preview, a document's text."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, cast

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from assistant.model import client as model_client
from assistant.model import prices, retries
from assistant.model.errors import Completion, ModelFailed
from assistant.models import Assistant, Turn
from assistant.turns import policy
from conversations.files.attachments import Attachment, backlog, opened, preview_name
from conversations.files.file_types import extension
from conversations.models import ConversationMessage
from conversations.outbox.pauses import active_pause
from runtime.clock import from_now
from runtime.database import database_sync_to_async
from runtime.notify import notify_workers_on_commit
from runtime.words import MAX_CHARACTERS

from . import documents, images

logger = logging.getLogger(__name__)

State = Attachment.State
LEASE_SECONDS = 300  # longer than any extraction takes, including the wait for the executor
SUSPENDED_SECONDS = 3600
MAX_ATTEMPTS = 8  # a file that kills its workers must not do so forever
LONGEST_TRANSCRIPT = 20_000  # characters
BACKLOG = backlog("assistant.tasks.read", State.READING, lambda: LEASE_SECONDS)
# Each thread starts a process, which needs memory.
_executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="extraction")


@dataclass(frozen=True, slots=True)
class Findings:
    transcript: str = ""
    preview: str = ""  # the name in the storage


@dataclass(eq=False)
class ReadFailed(Exception):
    """Nothing was extracted. `wait`: seconds until the next attempt, None if there is none."""

    detail: str
    wait: float | None = None


def wants(kind: str, mime_type: str) -> bool:
    """Whether there is anything to extract from this kind of file."""
    return kind in ("audio", "image") or (kind == "document" and mime_type in documents.READABLE)


def settled() -> None:
    """This file is finished: a turn that waits for it can continue once the transaction is committed."""
    notify_workers_on_commit()


async def read_one(attachment_id: int) -> None:
    """Make one attempt at a file that was just claimed."""
    attachment = await database_sync_to_async(Attachment.objects.claimed)(attachment_id, State.READING)
    if attachment is None:
        return
    tenant = attachment.message.conversation.tenant
    if tenant is not None and not tenant.is_active:
        await database_sync_to_async(_put_off)(attachment)
        return
    try:
        findings = await _read(attachment)
    except ReadFailed as failure:
        logger.warning("attachment %s couldn't be read: %s", attachment_id, failure.detail)
        await database_sync_to_async(_failed)(attachment, failure)
    except Exception as error:  # a customer's file can fail in any way, and its turn waits for the outcome
        logger.exception("attachment %s: reading it failed", attachment_id)
        await database_sync_to_async(_failed)(attachment, ReadFailed(f"It couldn't be read: {type(error).__name__}."))
    else:
        await database_sync_to_async(_ready)(
            attachment, transcript=findings.transcript, preview=findings.preview, error=""
        )


def _put_off(attachment: Attachment) -> None:
    """Its business is suspended: nothing goes to the model. `privacy.resuming` makes it due again."""
    with transaction.atomic():
        later = {"fence": F("fence") - 1, "next_attempt_at": from_now(SUSPENDED_SECONDS)}
        Attachment.objects.held(attachment).update(**later)


async def _read(attachment: Attachment) -> Findings:
    if attachment.fence > MAX_ATTEMPTS:
        raise ReadFailed("Not read: reading it failed every time.")
    if attachment.kind == "audio":
        return Findings(transcript=await _transcribe(attachment))
    return await asyncio.get_running_loop().run_in_executor(_executor, _extract, attachment)


def _extract(attachment: Attachment) -> Findings:
    try:
        with opened(str(attachment.file.name)) as stored:
            file = cast("IO[bytes]", stored.file)
            if attachment.kind == "image":
                small = images.shrink(file)
                return Findings(preview=_store_preview(small, preview_name(str(attachment.file.name))))
            return Findings(transcript=documents.text_of(file, attachment.mime_type))
    except (images.BadPicture, documents.Unreadable) as failure:
        raise ReadFailed(str(failure)) from failure


def _store_preview(small: bytes, name: str) -> str:
    default_storage.delete(name)  # left by a worker that died before it could record it
    return default_storage.save(name, ContentFile(small))


async def _transcribe(attachment: Attachment) -> str:
    assistant = await database_sync_to_async(_transcription_assistant)(attachment)
    name = f"voice.{extension(attachment.mime_type)}"
    try:
        with await asyncio.to_thread(opened, str(attachment.file.name)) as stored:
            file = cast("IO[bytes]", stored.file)
            heard = await model_client.transcribe(file, name, attachment.mime_type, assistant)
    except ModelFailed as failure:
        if failure.billed:
            await database_sync_to_async(_record_cost)(attachment, failure.billed)
        raise ReadFailed(f"It couldn't be transcribed: {failure.detail}", _wait(failure, attachment.fence)) from None
    await database_sync_to_async(_record_cost)(attachment, heard)
    if not heard.text:
        raise ReadFailed("No speech was recognized.")
    return heard.text[:LONGEST_TRANSCRIPT]


def _record_cost(attachment: Attachment, heard: Completion) -> None:
    """In the day's tokens, and in the ledger of the turn that answers the message, if there's one."""
    message = attachment.message
    policy.add_tokens(attachment.message.conversation.tenant_id, heard.tokens)
    turns = Turn.objects.filter(
        conversation=message.conversation_id, first_message_id__lte=message.pk, last_message_id__gte=message.pk
    )
    cost = prices.add(None, heard)
    Turn.objects.filter(pk__in=turns.order_by("-pk").values("pk")[:1]).update(
        prompt_tokens=F("prompt_tokens") + heard.prompt_tokens,
        cached_tokens=F("cached_tokens") + heard.cached_tokens,
        completion_tokens=F("completion_tokens") + heard.completion_tokens,
        usage_estimated=F("usage_estimated") if not heard.usage_estimated else True,
        cost=F("cost") if cost is None else Coalesce("cost", Value(Decimal(0))) + cost,
    )


def _transcription_assistant(attachment: Attachment) -> Assistant:
    """The assistant whose model transcribes. Raises ReadFailed if it must not be called now."""
    conversation = attachment.message.conversation
    assistant = Assistant.of(conversation.tenant_id)
    if policy.is_over_budget(assistant, policy.tokens_today(conversation.tenant_id)):
        raise ReadFailed(f"It wasn't transcribed. {policy.Silence.OUT_OF_BUDGET.label}.")
    if pause := active_pause([retries.scope(assistant)], assistant.key.strip()):
        raise ReadFailed(f"It wasn't transcribed: {pause.reason}")
    return assistant


def _wait(failure: ModelFailed, attempts_made: int) -> float | None:
    """Seconds until the next attempt, from the same table as for replies."""
    waits = failure.rule.waits
    if attempts_made > len(waits):
        return None
    return float(max(waits[attempts_made - 1], min(failure.retry_after or 0, 60)) * settings.RETRY_TIME_SCALE)


def _failed(attachment: Attachment, failure: ReadFailed) -> None:
    if failure.wait is None:
        _ready(attachment, error=failure.detail)
        return
    with transaction.atomic():
        Attachment.objects.held(attachment).update(error=failure.detail, next_attempt_at=from_now(failure.wait))


def _ready(attachment: Attachment, **columns: str) -> None:
    with transaction.atomic():
        if Attachment.objects.held(attachment).update(state=State.READY, fence=0, next_attempt_at=None, **columns):
            if attachment.kind == "audio" and columns.get("transcript"):
                spoken = columns["transcript"][:MAX_CHARACTERS]
                ConversationMessage.objects.filter(pk=attachment.message_id).update(spoken=spoken)
            settled()
            return
    if columns.get("preview") and not Attachment.objects.filter(pk=attachment.pk).exists():
        default_storage.delete(columns["preview"])  # the message was deleted meanwhile
