"""Database access from the event loop: one function, run in a thread on that thread's own connection.

`sync_to_async` has one thread per process, so that one slow statement would delay every other. The worker uses
several. Elsewhere, tests included, the function runs on the caller's own connection.
"""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import psycopg
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connection, connections

P = ParamSpec("P")
T = TypeVar("T")

# SQLSTATE classes that psycopg counts as operational, though the data is at fault (54: an index row too large, …).
_DATA_CLASSES = ("21", "22", "23", "54")

_threads: ThreadPoolExecutor | None = None
_epoch = 0  # connections made in an earlier epoch aren't trusted
_thread = threading.local()


def use_threads(count: int) -> None:
    """From now on, run this process's database functions in `count` threads, each with its own connection."""
    global _threads
    _threads = ThreadPoolExecutor(count, thread_name_prefix="database")


def reset_connections() -> None:
    """The database was unavailable: no thread reuses the connection it had."""
    global _epoch
    _epoch += 1


def database_sync_to_async(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """`function`, as a coroutine function."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if _threads is None:
            return await sync_to_async(function)(*args, **kwargs)
        bound = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(_threads, _run, bound)

    return call


def retry_on_new_connection(work: Callable[[], T]) -> T:
    """Run `work` again if its connection fails: it may have died since it was last used. It must be safe to repeat."""
    try:
        return work()
    except (OperationalError, InterfaceError):
        connection.close()
        return work()


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later: the database is unavailable, a lock is held, a deadlock."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return not (state or "").startswith(_DATA_CLASSES)


def _run(function: Callable[[], T]) -> T:
    if getattr(_thread, "epoch", _epoch) != _epoch:
        connections.close_all()
    _thread.epoch = _epoch
    close_old_connections()  # one that broke during the last call
    # A check would cost a round trip per call; the worker's listening connection notices an outage.
    connection.health_check_enabled = False  # type: ignore[attr-defined]
    return function()
