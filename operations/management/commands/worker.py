"""`manage.py worker`: jobs and sweeps in one process. Run as many as you like, on as many machines."""

import asyncio
import logging
import signal
from typing import Any

import procrastinate
import psycopg
import psycopg_pool
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

import assistant.turns.opening
import conversations.tasks
from assistant.model import client as model_client
from assistant.turns import handback
from runtime import database
from runtime.jobs import run_queues
from whatsapp.graph import client as graph_client

logger = logging.getLogger(__name__)

SWEEPS = [
    assistant.turns.opening.sweep,
    conversations.tasks.sweep,
    handback.sweep,
]
BATCH = 500  # what one sweep handles at most
HEARTBEAT_SECONDS = 10
STALLED_SECONDS = 30
AGAIN_SECONDS = 1  # between two looks at a database that is away
POOL_SECONDS = 5  # a job waits this long for a connection of the queue's
DATABASE_THREADS = 4  # so many steps of jobs wait for PostgreSQL at once
AWAY = (psycopg.Error, procrastinate.exceptions.ConnectorException, DatabaseError, InterfaceError)


class Command(BaseCommand):
    help = "Answers and delivers: takes jobs from the queue, and every few seconds finds what fell asleep."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(work())


async def work() -> None:
    """Until SIGTERM or SIGINT; a lost database is waited for, not died of."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    database.use_threads(DATABASE_THREADS)
    sweeper = asyncio.create_task(_sweep_for_ever())
    queues = asyncio.create_task(run_queues(stop))
    logger.info("worker: started, %s jobs at once", settings.WORKER_CONCURRENCY)
    lives: list[asyncio.Task[None]] = []
    while not stop.is_set():
        lives = [life for life in lives if not life.done()]
        try:
            await _live(stopping, lives)
        except AWAY as error:
            logger.error("worker: the database is away, trying again: %s", error)
            await asyncio.wait([stopping], timeout=AGAIN_SECONDS)
    sweeper.cancel()
    await asyncio.wait([sweeper, queues, *lives])
    for clients in (model_client.clients, graph_client.clients):
        await clients.close()
    logger.info("worker: stopped")


async def _live(stopping: asyncio.Task[Any], lives: list[asyncio.Task[None]]) -> None:
    """One life of the queue's worker. It ends when we stop, or when the database ended our connections.

    The jobs it has may take their time for their end: the next life begins beside them. The queue's own pool
    asks a database that is away less and less often, and does not let go before its jobs are done.
    """
    async with await psycopg.AsyncConnection.connect(**connector_params(), autocommit=True) as connection:
        database.reset_connections()
        await sync_to_async(connections.close_all)()
        jobs, pulse = asyncio.create_task(_run()), asyncio.create_task(_beat(connection))
        lives.append(jobs)
        await asyncio.wait([jobs, pulse, stopping], return_when=asyncio.FIRST_COMPLETED)
        jobs.cancel()
        pulse.cancel()
        await asyncio.wait([pulse])
    for ended in (pulse, jobs):
        if ended.done() and not ended.cancelled() and (error := ended.exception()):
            raise error


async def _beat(connection: psycopg.AsyncConnection) -> None:
    """Raises psycopg.Error once the database was away, be it back already or not."""
    while True:
        await connection.execute("SELECT 1")
        await asyncio.sleep(AGAIN_SECONDS)


async def _run() -> None:
    connector = procrastinate.PsycopgConnector(
        kwargs=connector_params(), configure=_for_the_queue, pool_factory=_unchecked, timeout=POOL_SECONDS
    )
    try:
        async with app.with_connector(connector).open_async() as worker_app:
            await worker_app.run_worker_async(
                queues=["default"],
                concurrency=settings.WORKER_CONCURRENCY,
                fetch_job_polling_interval=settings.WORKER_POLL_SECONDS,
                shutdown_graceful_timeout=settings.WORKER_STOP_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                # Finished jobs pile up and make fetching slow; what failed is kept to be looked at.
                delete_jobs="successful",
                # Its own looks after Django's connections by two more crossings a job; `crossing` does it by the way.
                task_middleware=[],
                install_signal_handlers=False,
            )
    except AWAY as error:
        logger.error("worker: the queue was lost, trying again: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)


async def _for_the_queue(connection: psycopg.AsyncConnection) -> None:
    """The queue's statements stand alone, and jobs are only wake-ups: what a crash of PostgreSQL forgets of them
    comes once more, which is harmless. So none waits for the disk. The rows they wake are written by Django."""
    await connection.set_autocommit(True)
    await connection.execute("SET synchronous_commit TO off")


def _unchecked(**options: Any) -> psycopg_pool.AsyncConnectionPool:
    """Without a question before each statement whether the connection lives: `_beat` asks it for all of them."""
    return psycopg_pool.AsyncConnectionPool(**{**options, "check": None})


async def _sweep_for_ever() -> None:
    while True:
        try:
            await sync_to_async(_sweep)()
            await _retry_stalled()
            wait = settings.SWEEP_SECONDS
        except AWAY as error:
            logger.error("sweep: the database is away: %s", error)
            wait = min(AGAIN_SECONDS, settings.SWEEP_SECONDS)
        except Exception:
            logger.exception("sweep: not foreseen; it goes on")
            wait = settings.SWEEP_SECONDS
        await asyncio.sleep(wait)


def _sweep() -> None:
    close_old_connections()  # a broken one too: without a job that does it, nobody else would
    for sweep in SWEEPS:
        found = BATCH
        while found >= BATCH:  # more may be waiting than one sweep takes
            if found := sweep():
                logger.info("sweep: %s woke %s rows", sweep.__module__, found)


async def _retry_stalled() -> None:
    """Jobs whose worker gave no sign of life go back into the queue."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        logger.warning("job %s (%s) is stalled: its worker is gone; again", job.id, job.task_name)
        await app.job_manager.retry_job(job)
