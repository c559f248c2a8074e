"""Answering one claimed turn: typing indicator, model, closing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from django.conf import settings

from assistant.model import retries
from conversations.models import Pause
from conversations.outbox.senders import SendFailed, load_sender
from runtime import crashpoints
from runtime.batching import Batcher, GaveUp
from runtime.database import database_sync_to_async
from runtime.dispatching import Dispatcher
from runtime.logs.context import bound

from . import steps
from .claiming import claim, release
from .closing import Ending, FinishedTurn, complete_turns
from .conversing import converse
from .giving_up import give_up
from .loading import ClaimedTurn
from .policy import reason_of
from .steps import NewStep

logger = logging.getLogger(__name__)

TYPING_SECONDS = 1  # how long a finished answer waits for a pending typing indicator
ANOTHER_MACHINE = "Another machine seems to be writing: its messages come too fast, or are always the same."
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
        self._steps: Batcher[NewStep, bool] = Batcher(
            database_sync_to_async(steps.store), patience=settings.TURN_LEASE_SECONDS
        )
        self._on_reply = on_reply

    async def stop(self, seconds: float) -> None:
        """Wait for pending answers, then give the remaining turns back."""
        await database_sync_to_async(release)(await self.dispatcher.finish(seconds))

    async def _answer(self, claim: ClaimedTurn) -> None:
        with bound(turn_id=claim.turn_id, conversation_id=claim.conversation_id):
            await self._finish(claim)

    async def _finish(self, claim: ClaimedTurn) -> None:
        crashpoints.reach("C6")
        error = claim.error or (ANOTHER_MACHINE if claim.is_machine else "")
        finished = FinishedTurn(claim, error=error)
        if not (claim.silence or claim.is_exhausted or error):
            finished = await self._ask(claim)
        crashpoints.reach("C7")
        ending = await self._close(finished)
        crashpoints.reach("C8")
        if ending in REPLYING:
            self._on_reply()
        elif ending in (Ending.SUPERSEDED, Ending.POSTPONED):
            self.dispatcher.wake()
        if claim.former_pauses and finished.outcome and finished.outcome.completion:
            await database_sync_to_async(_forget_pause)(claim)

    async def _ask(self, claim: ClaimedTurn) -> FinishedTurn:
        logger.info("[WA][CHAT] conv_id=%s loaded %s context messages", claim.conversation_id, len(claim.shown))
        try:
            async with _typing(claim):
                return await converse(claim, self._steps.add)
        except Exception as error:
            logger.exception("turn %s: the model couldn't be called", claim.turn_id)
            return FinishedTurn(claim, error=f"The model couldn't be called: {reason_of(error)}")

    async def _close(self, finished: FinishedTurn) -> Ending:
        try:
            return await self._closer.add(finished)
        except GaveUp:
            raise  # the lease has expired, and the next claim answers the turn
        except Exception as error:
            logger.exception("turn %s: it couldn't be closed", finished.claim.turn_id)
            reason = f"The reply couldn't be stored: {reason_of(error)}"
            return await database_sync_to_async(give_up)(finished, reason)


def _forget_pause(claim: ClaimedTurn) -> None:
    """The endpoint works again: `resuming.answer_waiting` answers those who wrote while it didn't."""
    Pause.objects.filter(scope=retries.scope(claim.assistant), scope__in=claim.former_pauses).delete()


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
