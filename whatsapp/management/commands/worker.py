"""`manage.py worker`: jobs and sweeps in one process. Run as many as you like, on as many machines."""

import asyncio
import logging
import signal
from typing import Any, cast

import procrastinate
import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

import assistant.turns
import conversations.tasks
from assistant import openai_service
from whatsapp import graph

logger = logging.getLogger(__name__)

SWEEPS = [assistant.turns.sweep, conversations.tasks.sweep]
HEARTBEAT_SECONDS = 10
STALLED_SECONDS = 30


class Command(BaseCommand):
    help = "Answers and delivers: takes jobs from the queue, and every few seconds finds what fell asleep."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=settings.WORKER_CONCURRENCY, help="jobs at once")

    def handle(self, *args: Any, concurrency: int, **options: Any) -> None:
        asyncio.run(work(concurrency))


async def work(concurrency: int) -> None:
    """Until SIGTERM or SIGINT; a lost database is waited for, not died of."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sweeper = asyncio.create_task(_sweep_for_ever())
    logger.info("worker: started, %s jobs at once", concurrency)
    while not stop.is_set():
        await _work_until(stop, concurrency)
    sweeper.cancel()
    await asyncio.wait([sweeper])
    for clients in (openai_service.clients, graph.clients):
        await clients.close()
    logger.info("worker: stopped")


async def _work_until(stop: asyncio.Event, concurrency: int) -> None:
    """One life of the queue's worker. It ends when we stop, or when its connection is lost."""
    worker_app = app.with_connector(cast(DjangoConnector, app.connector).get_worker_connector())
    try:
        async with worker_app.open_async():
            jobs = asyncio.create_task(_run(worker_app, concurrency))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([jobs, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            jobs.cancel()
            await asyncio.wait([jobs])
            if not jobs.cancelled() and (error := jobs.exception()):
                raise error
    except (psycopg.Error, procrastinate.exceptions.ConnectorException, DatabaseError) as error:
        logger.error("worker: the database is away, trying again: %s", error)
        await asyncio.wait([asyncio.create_task(stop.wait())], timeout=1)


async def _run(worker_app: procrastinate.App, concurrency: int) -> None:
    await worker_app.run_worker_async(
        concurrency=concurrency,
        fetch_job_polling_interval=settings.WORKER_POLL_SECONDS,
        shutdown_graceful_timeout=settings.WORKER_STOP_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
        # Finished jobs pile up and make fetching slow; what failed is kept to be looked at.
        delete_jobs="successful",
        install_signal_handlers=False,
    )


async def _sweep_for_ever() -> None:
    while True:
        try:
            await _retry_stalled()
            await sync_to_async(_sweep)()
        except (psycopg.Error, procrastinate.exceptions.ConnectorException, DatabaseError) as error:
            logger.error("sweep: the database is away: %s", error)
        await asyncio.sleep(settings.SWEEP_SECONDS)


async def _retry_stalled() -> None:
    """Jobs whose worker gave no sign of life go back into the queue."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        logger.warning("job %s (%s) is stalled: its worker is gone; again", job.id, job.task_name)
        await app.job_manager.retry_job(job)


def _sweep() -> None:
    close_old_connections()
    for sweep in SWEEPS:
        if found := sweep():
            logger.info("sweep: %s woke %s rows", sweep.__module__, found)
