"""The job that reads one source: gets the file or page, extracts its text and stores its chunks.

A source keeps its old text and chunks until the new ones are stored, and if it can't be read.
"""

import asyncio
import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, cast

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from conversations.files.attachments import opened
from knowledge import indexing
from knowledge.models import Source
from runtime.backlog import Backlog
from runtime.clock import from_now
from runtime.database import database_sync_to_async, is_transient
from runtime.untrusted_files.refusal import Refused

from . import fetching, sitemaps
from .changes import changes
from .fetching import FetchFailed
from .files import Extract, extract

logger = logging.getLogger(__name__)

BACKLOG = Backlog(
    task="knowledge.tasks.read",
    table="knowledge_sources",
    waiting="next_attempt_at IS NOT NULL",
    group="tenant_id",
    fence="fence",
    lease=lambda: 600.0,  # longer than fetching, waiting for an executor's thread and extracting take
    at_once=2,
)
MAX_ATTEMPTS = 5  # a source that kills its workers must not do so forever
WAITS = (60, 600)  # seconds before the second and third attempt, if another one may succeed
DAY = 86_400
# Each thread starts a process, which needs memory.
_executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="knowledge")


class _Lost(Exception):
    """The source was deleted or claimed again: this attempt has no effect."""


async def read_one(source_id: int) -> None:
    """Make one attempt at a source that was just claimed."""
    source = await database_sync_to_async(_begin)(source_id)
    if source is None:
        return
    try:
        if source.fence - source.settled_fence > MAX_ATTEMPTS:
            raise Refused("Reading it failed every time. Save it in another format, or copy its text and add that.")
        if source.kind == Source.Kind.SITEMAP:
            pages = await sitemaps.pages_of(source.url, lambda words: _report(source, words), _run)
            await database_sync_to_async(_store_pages)(source, pages)
        else:
            found = await _extract(source)
            await database_sync_to_async(_store)(source, found)
    except _Lost:
        logger.info("knowledge source %s was changed while it was being read", source_id)
    except (Refused, FetchFailed, indexing.TooMuch) as failure:
        logger.warning("knowledge source %s couldn't be read: %s", source_id, failure)
        await database_sync_to_async(_failed)(
            source, str(failure), isinstance(failure, FetchFailed) and failure.may_pass
        )
    except Exception as error:  # a file or page from outside can fail in any way, and its owner should see that it did
        if is_transient(error):
            raise  # the lease ends, and it's read again
        logger.exception("knowledge source %s: reading it failed", source_id)
        detail = f"An unexpected error occurred ({type(error).__name__}). Try again, or copy its text and add that."
        await database_sync_to_async(_failed)(source, detail, False)


def _begin(source_id: int) -> Source | None:
    claimed = Source.objects.filter(pk=source_id, next_attempt_at__isnull=False)
    claimed.update(state=Source.State.READING, progress="Starting")
    return claimed.defer("text", "changes").first()


async def _extract(source: Source) -> Extract:
    if source.kind == Source.Kind.FILE:
        await _report(source, "Reading the file")
        return await _run(_of_stored_file, source, _progress_of(source))
    with tempfile.TemporaryFile() as file:
        await _report(source, "Fetching the page")
        fetched = await fetching.fetch(source.url, file)
        await _report(source, "Reading the page")
        return await _run(extract, file, fetched.url, fetched.mime_type, fetched.charset, _progress_of(source))


async def _run(function: Callable[..., sitemaps.T], *arguments: object) -> sitemaps.T:
    return await asyncio.get_running_loop().run_in_executor(_executor, function, *arguments)


def _of_stored_file(source: Source, on_progress: Callable[[str], None]) -> Extract:
    with opened(str(source.file.name)) as stored:
        return extract(cast("IO[bytes]", stored.file), source.filename, "", "", on_progress)


def _progress_of(source: Source) -> Callable[[str], None]:
    """For the thread that extracts. It waits until the progress is stored, so that it can't get far ahead."""
    loop = asyncio.get_running_loop()

    def report(words: str) -> None:
        asyncio.run_coroutine_threadsafe(_report(source, f"Reading {words}"), loop).result()

    return report


async def _report(source: Source, words: str) -> None:
    await database_sync_to_async(Source.objects.filter(pk=source.pk, fence=source.fence).update)(progress=words[:100])


def _locked(source: Source) -> Source:
    row = Source.objects.locked(source)
    if row is None:
        raise _Lost
    return row


def _store(source: Source, found: Extract) -> None:
    title = source.title or found.title
    chunks = indexing.chunks_of(source, title, found.text)  # outside the transaction, because it takes a while
    with transaction.atomic():
        row = _locked(source)
        if row.title and row.title != title:
            chunks = indexing.chunks_of(source, row.title, found.text)
        row.title = row.title or title
        if row.read_at and row.text != found.text:
            row.changes, row.changed_at = changes(row.text, found.text), Now()
        row.text = found.text
        indexing.replace_chunks(row, chunks)
        _settle(row, Source.State.READY)


def _store_pages(source: Source, urls: list[str]) -> None:
    with transaction.atomic():
        row = _locked(source)
        text = "\n".join(urls)
        if row.read_at and row.text != text:
            row.changes, row.changed_at = changes(row.text, text), Now()
        row.text = text
        BACKLOG.wake(sitemaps.store(row, urls))
        _settle(row, Source.State.READY)


def _settle(row: Source, state: str, error: str = "") -> None:
    """The end of the attempts at a locked row."""
    row.state, row.error, row.progress, row.settled_fence = state, error, "", row.fence
    row.next_attempt_at = from_now(row.repeat_days * DAY) if row.repeat_days else None
    if state == Source.State.READY:
        row.read_at = Now()
    row.updated_at = Now()
    row.save()


def _failed(source: Source, detail: str, may_pass: bool) -> None:
    with transaction.atomic():
        row = Source.objects.locked(source)
        if row is None:
            return
        attempts = row.fence - row.settled_fence
        if may_pass and attempts <= len(WAITS):
            row.state, row.error, row.progress = Source.State.WAITING, detail, ""
            row.next_attempt_at = from_now(WAITS[attempts - 1] * settings.RETRY_TIME_SCALE)
            row.save()
        else:
            _settle(row, Source.State.FAILED, detail)
