"""The answering of a turn: claim, think, gate. And the reading of the files it may be about."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.conf import settings
from procrastinate.contrib.django import app

import crashpoints
from conversations.senders import SendFailed, load_sender

from . import attempts, gate, pictures, reading, turns
from .turns import Claim

logger = logging.getLogger(__name__)

TYPING_SECONDS = 1  # how long a finished answer waits for the "read" mark that is still under way
# Of one tenant in this process: a model that hangs for one must not take all the places from the others.
_places: Counter[int | None] = Counter()


@app.task
async def answer(turn_id: int) -> None:
    """Answer one turn if it is due. Harmless to run twice: the claim and the gate decide."""
    claim = await sync_to_async(turns.claim)(turn_id)
    if claim is None:
        return
    crashpoints.reach("C6")
    if _places[claim.tenant_id] >= max(1, settings.WORKER_CONCURRENCY // 2):
        await sync_to_async(turns.release)(claim)
        return
    logger.info("[WA][CHAT] conv_id=%s loaded %s context messages", claim.conversation_id, len(claim.messages))
    with _place(claim.tenant_id):
        async with _typing(claim):
            question = await pictures.with_data(claim.messages)
            outcome = await attempts.complete(question, claim.assistant)
    crashpoints.reach("C7")
    result = await sync_to_async(gate.close)(claim, outcome)
    crashpoints.reach("C8")
    logger.info("[WA][CHAT] conv_id=%s turn %s: %s", claim.conversation_id, claim.turn_id, result)


@app.task
async def read(attachment_id: int) -> None:
    """Learn what is in one file if it is due. Harmless to run twice."""
    await reading.read_one(attachment_id)


@contextlib.contextmanager
def _place(tenant_id: int | None) -> Iterator[None]:
    _places[tenant_id] += 1
    try:
        yield
    finally:
        _places[tenant_id] -= 1
        if not _places[tenant_id]:
            del _places[tenant_id]


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
