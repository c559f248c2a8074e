"""Deferred work, on procrastinate: jobs, the queues they wait in, and recurring functions.

Each kind of work has a queue of its own, so a backlog in one never delays another. Rows are the truth: a job only
says that there's something to do, is safe to run twice, and its loss is found by a recurring function.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import procrastinate
import psycopg
import psycopg_pool
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, connections, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.contrib.django.utils import connector_params
from procrastinate.types import JSONValue

from runtime import database
from runtime.logs.context import bound
from runtime.notify import notify
from runtime.processes import counters

logger = logging.getLogger(__name__)

# Jobs that one worker process runs at once, by queue.
QUEUES = {"files": 24, "webhooks": 64, "knowledge": 4, "notifications": 16, "maintenance": 4}

BATCH = 500  # rows that a recurring function handles in one transaction
HEARTBEAT_SECONDS = 10
STALLED_SECONDS = 30
RETRY_SECONDS = 1  # between two attempts to reach the database
POOL_SECONDS = 5  # how long a queue waits for one of its connections
UNAVAILABLE = (psycopg.Error, procrastinate.exceptions.ConnectorException, DatabaseError, InterfaceError)

_PAST = dt.timedelta(minutes=1)  # far enough to be due, however much our clock differs from the database's
_recurring_threads = ThreadPoolExecutor(2, thread_name_prefix="recurring")


# --- Deferring ----------------------------------------------------------------------------------------------


def defer(task: str, *arguments: Mapping[str, JSONValue]) -> None:
    """Defer one job for each set of arguments.

    The jobs are written on Django's connection, so they're committed together with the rows they're for. They always
    have a scheduled time: jobs without one send a NOTIFY inside the transaction, and PostgreSQL commits transactions
    with a NOTIFY one after the other. Workers are notified after the commit instead.
    """
    if not arguments:
        return
    deferrer = app.configure_task(task, schedule_at=timezone.now() - _PAST)
    deferrer.batch_defer(*map(dict, arguments))
    # If this is lost, the workers find the job within `WORKER_POLL_SECONDS`.
    channel = f"procrastinate_queue_v1#{deferrer.job.queue}"
    transaction.on_commit(lambda: notify(channel, '{"type": "job_inserted", "job_id": 0}'), robust=True)


def is_pending(task: str, **arguments: JSONValue) -> bool:
    """Whether a job of this task with these arguments is waiting or running."""
    return ProcrastinateJob.objects.filter(task_name=task, args=arguments, status__in=("todo", "doing")).exists()


def defer_lost(task: str, argument: str, pks: Iterable[int]) -> int:
    """Defer the jobs of these rows again that were lost or failed. Returns how many. argument: what a job calls its
    row."""
    lost = [pk for pk in pks if not is_pending(task, **{argument: pk})]
    defer(task, *[{argument: pk} for pk in lost])
    return len(lost)


def is_waiting(task: str) -> bool:
    """Whether a job of this task is due and not yet taken."""
    return ProcrastinateJob.objects.filter(task_name=task, status="todo", scheduled_at__lte=timezone.now()).exists()


# --- Recurring functions ------------------------------------------------------------------------------------


_recurring: list[tuple[Callable[[], int], float]] = []


def every(seconds: float) -> Callable[[Callable[[], int]], Callable[[], int]]:
    """Run a function every `seconds` in every worker process.

    The function handles at most `BATCH` rows, returns how many, and is called again at once after a full batch.
    Several processes may run it at the same time: it skips locked rows, so they share the work. An exception is
    logged, and affects no other function.
    """

    def register(function: Callable[[], int]) -> Callable[[], int]:
        _recurring.append((function, seconds))
        return function

    return register


async def _repeat(function: Callable[[], int], seconds: float) -> NoReturn:
    """Run a recurring function until cancelled, whatever it raises."""
    loop = asyncio.get_running_loop()
    name = f"{function.__module__}.{function.__qualname__}"
    while True:
        outcome = "ok"
        try:
            while await loop.run_in_executor(_recurring_threads, _run_once, function) >= BATCH:
                pass
        except Exception as error:
            outcome = "failed"
            if database.is_transient(error):
                logger.error("%s: database unavailable: %s", name, error)
            else:
                logger.exception("%s failed; next run in %g s", name, seconds)
        finally:
            counters.count("parley_worker_rounds_total", loop=name, outcome=outcome)
        await asyncio.sleep(seconds)


def _run_once(function: Callable[[], int]) -> int:
    close_old_connections()
    return function()


_DELETE_ENDED = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT job.id FROM procrastinate_jobs job
    WHERE job.status IN ('failed', 'cancelled', 'aborted') AND NOT EXISTS (
        SELECT FROM procrastinate_events event
        WHERE event.job_id = job.id AND event.at > now() - %s * interval '1 day')
    LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@every(3600)
def delete_ended_jobs() -> int:
    """Delete jobs that ended without success `FAILED_JOBS_DAYS` ago. Successful ones are deleted as they end."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_ENDED, [settings.FAILED_JOBS_DAYS, BATCH])
        deleted: int = cursor.rowcount
    return deleted


# --- Running the queues -------------------------------------------------------------------------------------


async def run_queues(stop: asyncio.Event) -> None:
    """Work through every queue and run the recurring functions until `stop` is set. Outlives a lost database."""
    stopping = asyncio.create_task(stop.wait())
    recurring = [asyncio.create_task(_repeat(*each)) for each in _recurring]
    lives: list[asyncio.Task[None]] = []
    while not stop.is_set():
        lives = [life for life in lives if not life.done()]
        try:
            await _live(stopping, lives)
        except UNAVAILABLE as error:
            logger.error("queues: database unavailable, retrying: %s", error)
            await asyncio.wait([stopping], timeout=RETRY_SECONDS)
    for task in recurring:
        task.cancel()
    await asyncio.wait([stopping, *recurring, *lives])


async def _live(stopping: asyncio.Task[bool], lives: list[asyncio.Task[None]]) -> None:
    """Run the workers of all queues until we stop or the database ends our connections.

    Running jobs may take a while to finish: the next life begins alongside them. procrastinate's own pool would
    retry less and less often, and wouldn't let go before its jobs are done.
    """
    async with await psycopg.AsyncConnection.connect(**connector_params(), autocommit=True) as pulse:
        database.reset_connections()
        await sync_to_async(connections.close_all)()
        workers, heartbeat = asyncio.create_task(_run_workers()), asyncio.create_task(_beat(pulse))
        lives.append(workers)
        await asyncio.wait([workers, heartbeat, stopping], return_when=asyncio.FIRST_COMPLETED)
        workers.cancel()
        heartbeat.cancel()
        await asyncio.wait([heartbeat])
    for ended in (heartbeat, workers):
        if ended.done() and not ended.cancelled() and (error := ended.exception()):
            raise error


async def _beat(pulse: psycopg.AsyncConnection) -> NoReturn:
    """Raise psycopg.Error once the connection was lost, even if the database is back already."""
    while True:
        await pulse.execute("SELECT 1")
        await asyncio.sleep(RETRY_SECONDS)


async def _run_workers() -> None:
    connector = procrastinate.PsycopgConnector(
        kwargs=connector_params(), configure=_configure, pool_factory=_pool_without_checks, timeout=POOL_SECONDS
    )
    opened = app.with_connector(connector)
    try:
        await opened.open_async()
        async with asyncio.TaskGroup() as group:
            for queue, concurrency in QUEUES.items():
                group.create_task(_run_worker(opened, queue, concurrency))
            group.create_task(_retry_stalled(opened))
    except* UNAVAILABLE as errors:
        logger.error("queues: connection lost, retrying: %s", errors.exceptions[0])
        await asyncio.sleep(RETRY_SECONDS)
    finally:
        await opened.close_async()  # even if we're stopped while it opens: its tasks would outlive us


async def _run_worker(opened: procrastinate.App, queue: str, concurrency: int) -> None:
    await opened.run_worker_async(
        queues=[queue],
        name=queue,
        concurrency=concurrency,
        fetch_job_polling_interval=settings.WORKER_POLL_SECONDS,
        shutdown_graceful_timeout=settings.WORKER_STOP_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
        delete_jobs="successful",  # finished jobs would pile up and make fetching slow
        worker_middleware=[_with_ids],
        task_middleware=[],  # the default closes Django's connections in two more steps; `runtime.database` does it
        install_signal_handlers=False,
    )


async def _with_ids(call: Callable[[], Awaitable[object]], context: procrastinate.JobContext, worker: object) -> object:
    """The job's ID is in every log line about it."""
    with bound(job_id=context.job.id, task=context.job.task_name):
        return await call()


async def _configure(queue_connection: psycopg.AsyncConnection) -> None:
    """Don't wait for the disk: if PostgreSQL crashes, a forgotten job end only means that the job runs again."""
    await queue_connection.set_autocommit(True)
    await queue_connection.execute("SET synchronous_commit TO off")


def _pool_without_checks(**options: object) -> psycopg_pool.AsyncConnectionPool:
    """Doesn't query before each statement to see whether the connection is alive: `_beat` does that for all."""
    return psycopg_pool.AsyncConnectionPool(**{**options, "check": None})  # type: ignore[arg-type]


async def _retry_stalled(opened: procrastinate.App) -> NoReturn:
    """Put jobs back in their queue when their worker has shown no sign of life."""
    while True:
        for job in await opened.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            logger.warning("job %s (%s) is stalled because its worker is gone; retrying", job.id, job.task_name)
            with contextlib.suppress(procrastinate.exceptions.ConnectorException):  # another process was faster
                await opened.job_manager.retry_job(job)
        await asyncio.sleep(settings.SWEEP_SECONDS)
