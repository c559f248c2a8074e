"""The worker's sending loop: claims queued messages, sends each in a task, and records outcomes in batches."""

import logging
from dataclasses import replace

from django.conf import settings

from runtime import crashpoints
from runtime.batching import Batcher, GaveUp
from runtime.database import database_sync_to_async
from runtime.dispatching import Dispatcher
from runtime.logs.context import bound

from . import claiming, recording
from .claiming import Unsendable
from .recording import Attempt
from .senders import Outbound, Policy, SendFailed, load_sender

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 600  # how long to wait for the database: without its outcome, a sent message looks uncertain


class Sending:
    def __init__(self) -> None:
        self.dispatcher: Dispatcher[Outbound | Unsendable] = Dispatcher(
            "messages", claiming.claim, self._send, settings.WORKER_CONCURRENCY, is_shared=settings.MULTITENANT_ENABLED
        )
        self._recorder: Batcher[Attempt | Unsendable, bool] = Batcher(
            database_sync_to_async(recording.record), patience=PATIENCE_SECONDS
        )
        self._is_stopping = False

    async def stop(self, seconds: float) -> None:
        """Requeue messages that no request was made for, and wait for the responses to the rest."""
        self._is_stopping = True
        await self.dispatcher.finish(seconds)

    async def _send(self, message: Outbound | Unsendable) -> None:
        with bound(message_id=message.message_id, conversation_id=message.conversation_id or None):
            await self._send_and_record(message)

    async def _send_and_record(self, message: Outbound | Unsendable) -> None:
        if isinstance(message, Outbound):
            crashpoints.reach("C9")
            has_next = await self._record(await self._attempt(message))
        else:
            has_next = await self._record(message)
        if has_next:
            self.dispatcher.wake()

    async def _record(self, attempt: Attempt | Unsendable) -> bool:
        try:
            return await self._recorder.add(attempt)
        except GaveUp:
            raise
        except Exception as error:
            logger.exception("message %s: its outcome could not be recorded", attempt.message_id)
            if isinstance(attempt, Attempt) and attempt.wamid:
                # Most likely, another message of the conversation has this wamid.
                return await self._record(replace(attempt, wamid=""))
            return await database_sync_to_async(recording.record_in_short)(attempt, type(error).__name__)

    async def _attempt(self, outbound: Outbound) -> Attempt:
        try:
            if self._is_stopping:
                raise SendFailed("The worker stopped before it was sent.", Policy.WAIT)
            wamid = await load_sender().send(outbound)
        except SendFailed as failure:
            logger.warning("message %s not sent: %s", outbound.message_id, failure.detail)
            return Attempt(outbound.message_id, outbound.tenant_id, failure=failure)
        except Exception as error:
            logger.exception("message %s: its sender failed", outbound.message_id)
            unknown = SendFailed(f"It may have been sent: {type(error).__name__}.", Policy.UNCERTAIN)
            return Attempt(outbound.message_id, outbound.tenant_id, failure=unknown)
        logger.info("message %s sent", outbound.message_id)
        crashpoints.reach("C11")
        return Attempt(outbound.message_id, outbound.tenant_id, wamid)
