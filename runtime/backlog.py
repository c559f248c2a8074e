"""Rows that wait in a table for slow work, claimed fairly between the groups they belong to.

Groups must not starve each other: the endpoints of webhook deliveries, the businesses of files. A job doesn't name a
row. It claims the row that has waited longest in the group with the fewest rows under way, works on it, and defers the
next job if more is due. So a group with a long backlog, or with calls that hang, holds at most `at_once`
jobs of a process. Jobs that find nothing to claim end at once and don't run again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.models import Model, QuerySet

from runtime import jobs
from runtime.database import database_sync_to_async

M = TypeVar("M", bound=Model)

MOST_JOBS = 64  # deferred at once

# One look into the index for each group, however long its backlog is.
_DUE = """
WITH RECURSIVE heads AS (
    (SELECT {group} AS id, next_attempt_at FROM {table} WHERE {waiting} ORDER BY {group}, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT head.id, head.next_attempt_at FROM heads CROSS JOIN LATERAL (
        SELECT {group} AS id, next_attempt_at FROM {table} WHERE {waiting} AND {group} > heads.id
        ORDER BY {group}, next_attempt_at LIMIT 1) AS head
), due AS (
    SELECT heads.id, heads.next_attempt_at, COALESCE(busy.count, 0) AS busy
    FROM heads LEFT JOIN unnest(%(groups)s::bigint[], %(counts)s::int[]) AS busy (id, count) ON busy.id = heads.id
    WHERE heads.next_attempt_at <= statement_timestamp() AND COALESCE(busy.count, 0) < %(at_once)s
)"""

_COUNT = """{due}
SELECT count(*) FROM due
"""

_CLAIM = """{due}, claimed AS (
    SELECT due.id AS group_id, head.id AS row_id
    FROM (SELECT id FROM due ORDER BY busy, next_attempt_at) AS due CROSS JOIN LATERAL (
        SELECT id FROM {table} WHERE {waiting} AND {group} = due.id AND next_attempt_at <= statement_timestamp()
        ORDER BY next_attempt_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS head
    LIMIT 1
)
UPDATE {table} SET {fence} = {fence} + 1, next_attempt_at = statement_timestamp() + %(lease)s * interval '1 second'
FROM claimed WHERE {table}.id = claimed.row_id
RETURNING claimed.group_id, claimed.row_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The waiting rows of a table that has a column `next_attempt_at` and an index on its group and that column.

    A claim raises the row's fence and moves `next_attempt_at` past the lease. If the worker dies, the row is due again.
    """

    task: str  # the task that calls `run`; its jobs have no arguments
    table: str
    waiting: str  # SQL: which rows wait or are under way
    group: str  # SQL: a row's group, an integer
    fence: str  # the column that counts the claims
    lease: Callable[[], float]  # seconds
    at_once: int  # rows of one group under way in this process
    _busy: Counter[int] = field(default_factory=Counter)
    _locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = field(default_factory=WeakKeyDictionary)

    def wake(self, rows: int) -> int:
        """Defer jobs for new rows, in the transaction that stores them. Returns the number of jobs."""
        deferred = min(rows, MOST_JOBS)
        jobs.defer(self.task, *[{}] * deferred)
        return deferred

    async def run(self, work: Callable[[int], Awaitable[None]]) -> None:
        """Work on the next row, given its ID, and then defer a job for the one after it. Safe to call at any time."""
        # One claim at a time, because each has to count what the others took.
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            claimed = await database_sync_to_async(self.claim)()
            if claimed is None:
                return
            group, row_id = claimed
            self._busy[group] += 1
        try:
            await work(row_id)
        finally:
            self._busy[group] -= 1
            if not self._busy[group]:
                del self._busy[group]
            # Only now, so that no row is missed: a job that came while the group was full has ended.
            await database_sync_to_async(self._wake_next)()

    def claim(self) -> tuple[int, int] | None:
        """The group and the ID of the next row, which is ours now. None if no group below its limit has one."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql(_CLAIM), self._parameters())
            row: tuple[int, int] | None = cursor.fetchone()
        return row

    def find_due(self) -> int:
        """Defer jobs for rows that are due again, and for those whose job was lost. A recurring function."""
        return 0 if jobs.is_waiting(self.task) else self.wake(self._count_due())

    def _wake_next(self) -> None:
        self.wake(min(1, self._count_due()))

    def _count_due(self) -> int:
        """The number of groups below their limit with a row that is due."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql(_COUNT), self._parameters())
            (count,) = cursor.fetchone()
        return int(count)

    def _sql(self, template: str) -> str:
        names = {"table": self.table, "waiting": self.waiting, "group": self.group, "fence": self.fence}
        return template.format(due=_DUE.format(**names), **names)

    def _parameters(self) -> dict[str, Any]:
        busy = dict(self._busy)
        return {"groups": [*busy], "counts": [*busy.values()], "at_once": self.at_once, "lease": self.lease()}


def unlocked(rows: "QuerySet[M]") -> "QuerySet[M]":
    """The rows among these that no one else has locked. For updates that must not wait; call it in a transaction."""
    return rows.model._default_manager.filter(pk__in=rows.select_for_update(skip_locked=True, no_key=True).values("pk"))
