"""The answering of a turn: claim, think, gate, send. And the reading of the files it may be about."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from django.utils import timezone
from procrastinate.contrib.django import app

import conversations.tasks
from assistant.turns.opening import Claim
from conversations.outbox.senders import SendFailed, load_sender
from runtime import crashpoints
from runtime.database import database_sync_to_async
from runtime.jobs import every

from .files import extraction, images
from .model import retries
from .turns import closing, opening, places

logger = logging.getLogger(__name__)

TYPING_SECONDS = 1  # how long a finished answer waits for the "read" mark that is still under way


@app.task
async def answer(turn_id: int) -> None:
    """Answer one turn if it is due, and send the reply. Harmless to run twice: the claim and the gate decide."""
    first = await make_reply(turn_id)
    if first is not None:
        await conversations.tasks.deliver(first)


async def make_reply(turn_id: int) -> int | None:
    """Think and close the turn: the first message of its reply, which is queued; None when there is none."""
    claim = await _claim(turn_id)
    if claim is None:
        return None
    crashpoints.reach("C6")
    logger.info("[WA][CHAT] conv_id=%s loaded %s context messages", claim.conversation_id, len(claim.messages))
    with places.taken(claim.tenant_id):
        async with _typing(claim):
            question = await images.with_data(claim.messages)
            outcome = await retries.complete(question, claim.assistant)
    crashpoints.reach("C7")
    await _wake_next(claim.tenant_id)
    closed = await database_sync_to_async(closing.close)(claim, outcome)
    crashpoints.reach("C8")
    logger.info("[WA][CHAT] conv_id=%s turn %s: %s", claim.conversation_id, claim.turn_id, closed.word)
    return closed.to_deliver


@app.task(queue="files")
async def read() -> None:
    """Read the next file that is due. Safe to run twice."""
    await extraction.BACKLOG.run(extraction.read_one)


@every(1)
def find_files_to_read() -> int:
    return extraction.BACKLOG.find_due()


async def _claim(turn_id: int) -> Claim | None:
    """The turn, if it is due and there is a place for it; without one it waits."""
    try:
        claim = await database_sync_to_async(opening.claim)(turn_id, places.full())
    except opening.NoPlace as no_place:
        tenant_id = no_place.tenant_id
    else:
        if claim is None or claim.tenant_id not in places.full():
            return claim
        tenant_id = claim.tenant_id
        await database_sync_to_async(opening.release)(claim)
    places.wait(tenant_id, turn_id)
    await _wake_next(tenant_id)  # a place may have become free meanwhile
    return None


async def _wake_next(tenant_id: int | None) -> None:
    if turn_id := places.next_in(tenant_id):
        await database_sync_to_async(opening.wake)([(turn_id, timezone.now())])


@contextlib.asynccontextmanager
async def _typing(claim: Claim) -> AsyncIterator[None]:
    """Show the customer that an answer is being written, beside the model's work and never in its way."""
    task = asyncio.create_task(_show_typing(claim))
    try:
        yield
        await asyncio.wait([task], timeout=TYPING_SECONDS)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _show_typing(claim: Claim) -> None:
    if not claim.answers:
        return
    try:
        await load_sender().show_typing(claim.phone_number_id, claim.answers)
    except SendFailed as failure:
        logger.info("conv_id=%s: no typing indicator: %s", claim.conversation_id, failure.detail)
