"""Claims due rows in sets and handles each in a task, sharing the process's slots fairly between businesses."""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from .database import database_sync_to_async, is_transient
from .processes import counters

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # an idle worker looks at least this often
GATHER_SECONDS = 0.02  # when slots are short, this long passes between claims, so that they don't return single rows
LARGEST_CLAIM = 50
BEHIND_SECONDS = 0.05  # when a pass of the event loop takes longer, the process has all the work that it can do
RESERVE = 4  # a business may use all but one in four of the slots that the others leave free


class Owned(Protocol):
    @property
    def tenant_id(self) -> int: ...


Row = TypeVar("Row", bound=Owned)


@dataclass(frozen=True, slots=True)
class Shares:
    """How many rows one claim may return.

    limit: in all. by_tenant: for businesses with calls in flight; anyone_else: for each of the others.
    """

    limit: int
    by_tenant: Mapping[int, int]
    anyone_else: int

    def parameters(self) -> dict[str, str | int]:
        """For a claim that begins with `SHARE`."""
        return {"shares": json.dumps(dict(self.by_tenant)), "anyone_else": self.anyone_else, "limit": self.limit}


# The beginning of a claim: `share` has the businesses with due rows and how many rows each may get.
# To format with a table, the SQL of its waiting rows, and the column that says when a row is due. The table needs an
# index on tenant_id and that column for its waiting rows.
SHARE = """
WITH RECURSIVE head AS (  -- each business's next row: one index probe per business
    (SELECT tenant_id, {due_at} FROM {table} WHERE {waiting} ORDER BY tenant_id, {due_at} LIMIT 1)
    UNION ALL
    SELECT following.tenant_id, following.{due_at} FROM head CROSS JOIN LATERAL (
        SELECT tenant_id, {due_at} FROM {table} WHERE {waiting} AND tenant_id > head.tenant_id
        ORDER BY tenant_id, {due_at} LIMIT 1) AS following
), share AS (
    SELECT head.tenant_id, LEAST(COALESCE((%(shares)s::jsonb ->> head.tenant_id::text)::int, %(anyone_else)s),
        GREATEST(1, %(limit)s / count(*) OVER ())) AS places
    FROM head WHERE head.{due_at} <= statement_timestamp()
        AND COALESCE((%(shares)s::jsonb ->> head.tenant_id::text)::int, %(anyone_else)s) > 0
    ORDER BY head.{due_at} LIMIT %(limit)s
)"""


def has_full_share(places: Iterable[tuple[int, int]]) -> bool:
    """Whether a business got as many rows as it could, and so may have more. For each row: its business and places."""
    return any(count >= most for (_, most), count in Counter(places).items())


@dataclass(frozen=True, slots=True)
class Claimed(Generic[Row]):
    """What a claim found. more: look again at once. next_in: seconds until the next row is due, None if unknown."""

    rows: Sequence[Row]
    more: bool = False
    next_in: float | None = None


class Dispatcher(Generic[Row]):
    """Runs `handle` for every row that `claim` returns, at most `slots` at a time.

    claim: runs in a database thread; marks rows as taken and returns them.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[Shares], Claimed[Row]],
        handle: Callable[[Row], Awaitable[None]],
        slots: int,
        *,
        is_shared: bool,
    ) -> None:
        self.name = name
        self.handling: dict[asyncio.Task[None], Row] = {}
        self._claim = database_sync_to_async(claim)
        self._handle = handle
        self._slots = slots
        self._is_shared = is_shared
        self._in_flight: Counter[int] = Counter()
        self._wake = asyncio.Event()
        self._looking = asyncio.Lock()
        self._is_stopping = False
        self._is_short = False  # of slots, at the last look: a freed one is worth another look

    def wake(self) -> None:
        """Look now: something became due."""
        self._wake.set()

    async def run(self) -> None:
        """Claim and handle until `finish` is called."""
        while not self._is_stopping:
            self._wake.clear()
            wait = IDLE_SECONDS
            outcome = "ok"
            try:
                claimed = await self._look()
                if claimed is not None and claimed.more:
                    continue
                if claimed is not None and claimed.next_in is not None:
                    wait = max(0.0, min(wait, claimed.next_in))
            except Exception as error:
                outcome = "failed"
                if is_transient(error):
                    logger.error("%s: database unavailable, retrying: %s", self.name, error)
                else:
                    logger.exception("%s: a claim failed", self.name)
            finally:
                counters.count("parley_worker_rounds_total", loop=self.name, outcome=outcome)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def run_until_idle(self) -> int:
        """Handle everything that is due now (tests, commands); return how many rows that were."""
        handled = 0
        while count := await self.run_once():
            handled += count
        return handled

    async def run_once(self) -> int:
        """Claim what is due, handle it and wait for the end; return the number of rows, 0 when nothing is due."""
        while True:
            claimed = await self._look()
            tasks = list(self.handling)
            if tasks:
                await asyncio.gather(*tasks)
            if tasks or not (claimed and claimed.more):
                return len(tasks)

    async def finish(self, seconds: float) -> list[Row]:
        """Claim nothing more. Wait for what is being handled, then cancel it; return the rows of cancelled tasks."""
        self._is_stopping = True
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 1)), self._looking:
                pass  # no claim is under way: every row that was taken is being handled
        if self.handling:
            await asyncio.wait(list(self.handling), timeout=seconds)
        left = dict(self.handling)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(list(left))
        return [row for task, row in left.items() if task.cancelled()]

    async def _look(self) -> Claimed[Row] | None:
        """Claim what fits into the free slots; None when there are none, or when we're stopping."""
        await _catch_up()
        async with self._looking:
            return None if self._is_stopping else await self._claim_and_start()

    async def _claim_and_start(self) -> Claimed[Row] | None:
        free = self._slots - self._in_flight.total()
        shares = self._shares(free)
        self._is_short = free <= 0 or 0 in shares.by_tenant.values()
        if free <= 0:
            return None
        claimed = await self._claim(shares)
        for row in claimed.rows:
            self._in_flight[row.tenant_id] += 1
            task = asyncio.create_task(self._run_one(row))
            self.handling[task] = row
            task.add_done_callback(self._done)
        return claimed

    def _shares(self, free: int) -> Shares:
        limit = min(free, LARGEST_CLAIM)
        if not self._is_shared:
            return Shares(limit, {}, limit)

        def share(mine: int) -> int:
            most = (free + mine) * (RESERVE - 1) // RESERVE
            return max(most - mine, 0 if mine else 1)

        shares = {tenant: share(mine) for tenant, mine in self._in_flight.items()}
        return Shares(min(limit, share(0)), shares, share(0))

    async def _run_one(self, row: Row) -> None:
        try:
            await self._handle(row)
        except Exception:
            logger.exception("%s: handling a row failed", self.name)

    def _done(self, task: "asyncio.Task[None]") -> None:
        row = self.handling.pop(task)
        self._in_flight[row.tenant_id] -= 1
        if not self._in_flight[row.tenant_id]:
            del self._in_flight[row.tenant_id]
        if self._is_short:
            self._is_short = False
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.wake)


async def _catch_up() -> None:
    """Wait while the event loop is behind, for at most `IDLE_SECONDS`.

    Until then, rows are better off in their table, where each business gets its share.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + IDLE_SECONDS
    while (began := loop.time()) < end:
        await asyncio.sleep(0)
        if loop.time() - began < BEHIND_SECONDS:
            return
