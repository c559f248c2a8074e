"""The queues of a worker process: jobs, recurring functions, and bounds on what the database may do."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.contrib.django.utils import connector_params

from operations.apps import lift_timeouts, restore_timeouts
from runtime import jobs
from runtime.jobs import run_queues
from tests.stage import Stage

Recurring = tuple[Callable[[], int], float]
QUEUES = ("files", "maintenance", "notifications", "webhooks")
started: dict[str, threading.Event] = {}
may_end: dict[str, threading.Event] = {}


def task_in(queue: str) -> str:
    """A task in this queue, which ends when the test says so."""

    @app.task(queue=queue, name=f"tests.test_queues.{queue}")
    async def run() -> None:
        started[queue].set()
        await asyncio.to_thread(may_end[queue].wait, 60)

    return run.name


TASKS = {queue: task_in(queue) for queue in QUEUES}


@pytest.fixture(autouse=True)
def recurring(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Recurring]]:
    """The recurring functions, which are those of the test."""
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    for queue in QUEUES:
        started[queue], may_end[queue] = threading.Event(), threading.Event()
    functions: list[Recurring] = []
    monkeypatch.setattr(jobs, "_recurring", functions)
    yield functions
    for event in may_end.values():
        event.set()


def while_queues_run(wait: Callable[[], bool]) -> bool:
    """What `wait` answers in a thread, while the queues run."""

    async def main() -> bool:
        stop = asyncio.Event()
        queues = asyncio.create_task(run_queues(stop))
        try:
            return await asyncio.to_thread(wait)
        finally:
            stop.set()
            await queues

    return async_to_sync(main)()


def test_a_backlog_in_one_queue_does_not_delay_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUEUES", dict.fromkeys(QUEUES, 1))
    jobs.defer(TASKS["webhooks"], *[{}] * 3)
    jobs.defer(TASKS["maintenance"], {})
    jobs.defer(TASKS["files"], {})
    jobs.defer(TASKS["notifications"], {})

    def all_start_while_the_first_hangs() -> bool:
        every = all(started[queue].wait(60) for queue in QUEUES)
        for queue in QUEUES:
            may_end[queue].set()
        return every

    assert while_queues_run(all_start_while_the_first_hangs)


def test_a_job_lives_and_dies_with_the_transaction_of_its_row() -> None:
    with transaction.atomic():
        jobs.defer(TASKS["files"], {})
        assert jobs.is_waiting(TASKS["files"])
        transaction.set_rollback(True)
    assert not jobs.is_waiting(TASKS["files"])


def test_workers_are_notified_after_the_commit_and_not_in_it() -> None:
    with psycopg.connect(**connector_params(), autocommit=True) as listener:
        listener.execute('LISTEN "procrastinate_queue_v1#files"')
        with transaction.atomic():
            jobs.defer(TASKS["files"], {})
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify('procrastinate_queue_v1#files', 'in the transaction')")
        first, second = listener.notifies(timeout=60, stop_after=2)
    assert first.payload == "in the transaction"
    assert "job_inserted" in second.payload


def test_the_trigger_of_procrastinate_notifies_only_about_jobs_without_a_time() -> None:
    """An upgrade of procrastinate may recreate its trigger; then our migration has to replace it again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = 'procrastinate_jobs'::regclass AND tgname ~ 'notify' AND tgname ~ 'insert'"
        )
        definitions = [definition for (definition,) in cursor.fetchall()]
    (definition,) = definitions
    assert "WHEN (((new.status = 'todo'::procrastinate_job_status) AND (new.scheduled_at IS NULL)))" in definition


def test_a_recurring_function_that_raises_stops_no_other(
    recurring: list[Recurring], caplog: pytest.LogCaptureFixture
) -> None:
    failed, ran = threading.Semaphore(0), threading.Semaphore(0)

    def fail() -> int:
        failed.release()
        raise LookupError("poison")

    def run() -> int:
        ran.release()
        return 0

    recurring += [(fail, 0), (run, 0)]
    assert while_queues_run(lambda: all(which.acquire(timeout=60) for which in (failed, ran) for _ in range(3)))
    assert "fail failed" in caplog.text
    assert "poison" in caplog.text


def test_a_recurring_function_runs_again_at_once_while_its_batches_are_full(recurring: list[Recurring]) -> None:
    left = [jobs.BATCH, jobs.BATCH, 3]
    done = threading.Event()

    def run() -> int:
        handled = left.pop(0)
        if not left:
            done.set()
        return handled

    recurring.append((run, 3600))
    assert while_queues_run(lambda: done.wait(60))


def test_failed_jobs_are_deleted_after_a_while(settings: Any) -> None:
    jobs.defer(TASKS["files"], {}, {}, {})
    old, new, waiting = ProcrastinateJob.objects.filter(task_name=TASKS["files"]).values_list("pk", flat=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = ANY(%s)", [[old, new]])
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = ANY(%s)", [[old, new]])
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '31 days' WHERE job_id = %s", [old])
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '29 days' WHERE job_id = %s", [new])
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '99 days' WHERE job_id = %s", [waiting])
    settings.FAILED_JOBS_DAYS = 30
    assert jobs.delete_ended_jobs() == 1
    left = ProcrastinateJob.objects.filter(task_name=TASKS["files"]).values_list("pk", flat=True)
    assert set(left) == {new, waiting}


# --- Bounds -------------------------------------------------------------------------------------------------


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


TIMEOUTS = {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "1min"}


@pytest.mark.parametrize(("name", "value"), TIMEOUTS.items())
def test_every_connection_has_timeouts(name: str, value: str) -> None:
    assert shown(name) == value
    with psycopg.connect(**connector_params()) as queue_connection:
        assert queue_connection.execute(f"SHOW {name}").fetchone() == (value,)


def test_a_held_lock_is_not_waited_for_any_longer_than_the_timeout() -> None:
    jobs.defer(TASKS["files"], {})
    with psycopg.connect(**connector_params()) as other, connection.cursor() as cursor:
        other.execute("SELECT FROM procrastinate_jobs FOR UPDATE")
        cursor.execute("SET lock_timeout = 1")
        try:
            with pytest.raises(OperationalError, match="lock timeout"):
                cursor.execute("DELETE FROM procrastinate_jobs")
        finally:
            cursor.execute("RESET lock_timeout")


def test_a_migration_may_take_its_time() -> None:
    lift_timeouts("default")
    assert (shown("statement_timeout"), shown("idle_in_transaction_session_timeout")) == ("0", "0")
    assert shown("lock_timeout") == "5s"
    restore_timeouts("default")
    assert {name: shown(name) for name in TIMEOUTS} == TIMEOUTS
