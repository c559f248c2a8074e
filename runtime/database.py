"""From the event loop into the database: a step of a job is one function, run in a thread on its own connection.

Django's own way (`sync_to_async`) has one thread for a whole process, so that each wait for PostgreSQL is everybody's
wait. The worker gives its jobs several. Elsewhere, in the tests too, a step stays on the caller's own connection.
"""

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")

_threads: ThreadPoolExecutor | None = None
_epoch = 0  # of the connections: those that were made in an earlier one are not trusted
_mine = threading.local()


def use_threads(count: int) -> None:
    """From now on the steps of this process are run by so many threads, each with a connection of its own."""
    global _threads
    _threads = ThreadPoolExecutor(count, thread_name_prefix="database")


def reset_connections() -> None:
    """The database was away: no thread uses the connection it had."""
    global _epoch
    _epoch += 1


def database_sync_to_async(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """`work`, to be awaited."""

    async def cross(*args: P.args, **kwargs: P.kwargs) -> T:
        if _threads is None:
            return await sync_to_async(work)(*args, **kwargs)
        step = functools.partial(_step, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(_threads, step)

    return cross


def _step(work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    if getattr(_mine, "life", _epoch) != _epoch:
        connections.close_all()
    _mine.life = _epoch
    close_old_connections()  # one that broke during the last step
    return work(*args, **kwargs)
