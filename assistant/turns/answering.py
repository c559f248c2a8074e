"""Answering one claimed turn: typing indicator, model, closing."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable

from django.conf import settings

from assistant.files import images
from assistant.model import retries
from assistant.model.text import plain
from assistant.models import Assistant
from conversations.outbox.senders import SendFailed, load_sender
from runtime import crashpoints
from runtime.batching import Batcher
from runtime.database import database_sync_to_async
from runtime.dispatching import Dispatcher

from .claiming import ClaimedTurn, claim, release
from .closing import Ending, FinishedTurn, complete_turns

logger = logging.getLogger(__name__)

TYPING_SECONDS = 1  # how long a finished answer waits for a pending typing indicator
REPLYING = (Ending.REPLIED, Ending.FALLBACK)


class Answering:
    """Claims due turns, calls the model and closes them. on_reply: called when replies are queued."""

    def __init__(self, on_reply: Callable[[], None]) -> None:
        self.dispatcher: Dispatcher[ClaimedTurn] = Dispatcher(
            "turns", claim, self._answer, settings.WORKER_CONCURRENCY, is_shared=settings.MULTITENANT_ENABLED
        )
        self._closer: Batcher[FinishedTurn, Ending] = Batcher(
            database_sync_to_async(complete_turns), patience=settings.TURN_LEASE_SECONDS
        )
        self._on_reply = on_reply

    async def stop(self, seconds: float) -> None:
        """Wait for pending answers, then give the remaining turns back."""
        await database_sync_to_async(release)(await self.dispatcher.finish(seconds))

    async def _answer(self, claim: ClaimedTurn) -> None:
        crashpoints.reach("C6")
        finished = FinishedTurn(claim)
        if not claim.silence and not claim.is_exhausted:
            finished = await self._ask(claim)
        crashpoints.reach("C7")
        ending = await self._close(finished)
        crashpoints.reach("C8")
        if ending in REPLYING:
            self._on_reply()
        elif ending in (Ending.SUPERSEDED, Ending.POSTPONED):
            self.dispatcher.wake()

    async def _ask(self, claim: ClaimedTurn) -> FinishedTurn:
        logger.info("[WA][CHAT] conv_id=%s loaded %s context messages", claim.conversation_id, len(claim.messages))
        try:
            async with _typing(claim):
                prompt = await images.with_data(claim.messages)
                return FinishedTurn(claim, await retries.complete(prompt, claim.assistant, claim.pauses))
        except Exception as error:
            logger.exception("turn %s: the model couldn't be called", claim.turn_id)
            return FinishedTurn(claim, error=f"The model couldn't be called: {type(error).__name__}.")

    async def _close(self, finished: FinishedTurn) -> Ending:
        try:
            return await self._closer.add(finished)
        except Exception as error:
            logger.exception("turn %s: its reply couldn't be stored", finished.claim.turn_id)
            # The first line: the others may quote the row.
            reason = plain(f"The reply couldn't be stored: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        # The customer still gets the fallback text, and the conversation is flagged.
        failed = FinishedTurn(finished.claim, error=reason)
        try:
            return await self._closer.add(failed)
        except Exception:
            logger.exception("turn %s: the fallback text couldn't be stored", finished.claim.turn_id)
        wordless = dataclasses.replace(finished.claim, assistant=Assistant(fallback_text=""))
        return await self._closer.add(FinishedTurn(wordless, error=reason))


@contextlib.asynccontextmanager
async def _typing(claim: ClaimedTurn) -> AsyncIterator[None]:
    """Show the typing indicator while the model works, without ever delaying it."""
    task = asyncio.create_task(_show_typing(claim))
    try:
        yield
        await asyncio.wait([task], timeout=TYPING_SECONDS)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _show_typing(claim: ClaimedTurn) -> None:
    if not claim.newest:
        return
    try:
        await load_sender().show_typing(claim.phone_number_id, claim.newest)
    except SendFailed as failure:
        logger.info("conv_id=%s: no typing indicator: %s", claim.conversation_id, failure.detail)
