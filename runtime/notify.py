"""Waking the workers: something is due now.

PostgreSQL lets only one transaction with a NOTIFY commit at a time, so it's never sent inside the transaction that
stores: the commits would queue up. A lost notification costs at most a second; a worker looks at least that often.
"""

from django.db import connection, transaction

CHANNEL = "parley_worker"

# Nothing that must survive is written, so this commit doesn't wait for the disk.
_NOTIFY = """
BEGIN;
SET LOCAL synchronous_commit = off;
SELECT pg_notify(%s, %s);
COMMIT
"""


def notify(channel: str, payload: str = "") -> None:
    """Wake all listeners on this channel immediately. Call it outside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTIFY, [channel, payload])


def notify_workers() -> None:
    """Wake the workers now. Call it outside a transaction."""
    notify(CHANNEL)


def notify_workers_on_commit() -> None:
    """Wake the workers once the current transaction is committed."""
    transaction.on_commit(notify_workers)
