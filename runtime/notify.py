"""Ringing for the workers: a job is due now.

PostgreSQL lets only one transaction with a NOTIFY commit at a time, the wait for the disk included: with the queue's
own notification in it, the door would store one delivery after the other. So a job with a time of its own notifies
nobody (a migration of this app says so to the queue's trigger); who defers one that is due now rings after the commit.
A bell that is lost costs at most `WORKER_POLL_SECONDS`.
"""

from django.db import connection

# Nothing is written that must survive: its commit does not wait for the disk.
_RING = """
BEGIN;
SET LOCAL synchronous_commit = off;
SELECT pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
COMMIT
"""


def notify_workers() -> None:
    """Wake the workers. Call it outside a transaction: `transaction.on_commit(bell.ring)`."""
    with connection.cursor() as cursor:
        cursor.execute(_RING)
