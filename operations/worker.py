"""The worker process: answers due turns, sends queued messages, and runs the queues for everything else."""

import asyncio
import contextlib
import logging

import psycopg
from django.conf import settings
from procrastinate.contrib.django.utils import connector_params

from assistant import budget
from assistant.turns import handback, resuming
from assistant.turns.answering import Answering
from conversations import notifying
from conversations.outbox.sending import Sending
from operations import causes
from runtime import database, jobs
from runtime.notify import CHANNEL
from runtime.processes import counters

logger = logging.getLogger(__name__)

DATABASE_THREADS = 4
RECONNECT_SECONDS = 1

jobs.every(15)(handback.hand_back_due)
jobs.every(2)(resuming.answer_waiting)
jobs.every(3)(causes.notify)
jobs.every(5)(notifying.close_over)
jobs.every(30)(budget.warn)
jobs.every(counters.SAVE_SECONDS)(counters.save)


class Worker:
    """One process's share of the work. Run as many as you like, on as many machines."""

    def __init__(self) -> None:
        self.sending = Sending()
        self.answering = Answering(on_reply=self.sending.dispatcher.wake)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish current work for at most `WORKER_STOP_SECONDS`."""
        database.use_threads(DATABASE_THREADS)
        queues = asyncio.create_task(jobs.run_queues(stop))
        listening = asyncio.create_task(self._listen())
        answering = asyncio.create_task(self.answering.dispatcher.run())
        sending = asyncio.create_task(self.sending.dispatcher.run())
        logger.info("worker: started, up to %s replies at once", settings.WORKER_CONCURRENCY)
        await _until_stopped(stop, queues, listening, answering, sending)
        logger.info("worker: stopping")
        deadline = asyncio.get_running_loop().time() + settings.WORKER_STOP_SECONDS
        # A reply that is finished now can still go out.
        await self.answering.stop(settings.WORKER_STOP_SECONDS / 2)
        await self.sending.stop(max(1.0, deadline - asyncio.get_running_loop().time()))
        await _cancel(listening)
        await asyncio.gather(answering, sending, queues)
        logger.info("worker: stopped")

    async def run_until_idle(self) -> None:
        """Answer and send everything that is due now."""
        while await self.answering.dispatcher.run_until_idle() + await self.sending.dispatcher.run_until_idle():
            pass

    async def _listen(self) -> None:
        """Wake up when a process notifies us that something is due. Reconnects for as long as the worker runs."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**connector_params(), autocommit=True) as connection:
                    database.reset_connections()  # they may be broken, if this one was
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._wake()
                    async for _ in connection.notifies():
                        self._wake()
            except psycopg.Error as error:
                logger.error("worker: database unavailable, retrying: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    def _wake(self) -> None:
        self.answering.dispatcher.wake()
        self.sending.dispatcher.wake()


async def _until_stopped(stop: asyncio.Event, *parts: "asyncio.Task[None]") -> None:
    """Raises the error that ended a part early, so that the process exits and its supervisor starts a new one."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([stopping, *parts], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for part in parts:
        if part.done() and not stop.is_set():
            part.result()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
