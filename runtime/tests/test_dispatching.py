"""Sharing a process's slots between businesses."""

import asyncio
import time
from dataclasses import dataclass

from runtime.dispatching import BEHIND_SECONDS, IDLE_SECONDS, Claimed, Dispatcher, Shares


@dataclass(frozen=True)
class Row:
    tenant_id: int
    number: int


class Backlog:
    """Due rows by business; claims them as the SQL does."""

    def __init__(self, **rows: int) -> None:
        self.due = {int(name.removeprefix("tenant")): count for name, count in rows.items()}

    def claim(self, shares: Shares) -> Claimed[Row]:
        rows: list[Row] = []
        for tenant_id, count in self.due.items():
            most = min(count, shares.by_tenant.get(tenant_id, shares.anyone_else), shares.limit - len(rows))
            rows += [Row(tenant_id, number) for number in range(most)]
            self.due[tenant_id] -= most
        return Claimed(rows, more=bool(rows))


async def handled(backlog: Backlog, slots: int, *, is_shared: bool, newcomer: int | None = None) -> dict[int, int]:
    """How many calls each business has in flight when all of them hang."""
    in_flight: dict[int, int] = {}

    async def hang(row: Row) -> None:
        in_flight[row.tenant_id] = in_flight.get(row.tenant_id, 0) + 1
        await asyncio.Event().wait()

    dispatcher = Dispatcher("test", backlog.claim, hang, slots, is_shared=is_shared)
    running = asyncio.create_task(dispatcher.run())
    for _ in range(50):
        await asyncio.sleep(0)
        await asyncio.sleep(0.002)
        if newcomer is not None and sum(in_flight.values()) >= slots // 2:
            backlog.due[newcomer] = 1
            dispatcher.wake()
    running.cancel()
    await dispatcher.finish(0)
    return in_flight


def test_a_single_business_gets_every_slot() -> None:
    assert asyncio.run(handled(Backlog(tenant1=100), 20, is_shared=False)) == {1: 20}


def test_a_business_whose_calls_all_hang_leaves_slots_for_a_newcomer() -> None:
    in_flight = asyncio.run(handled(Backlog(tenant1=100), 20, is_shared=True, newcomer=2))
    assert in_flight[1] == 15
    assert in_flight[2] >= 1


def test_several_hanging_businesses_still_leave_a_slot() -> None:
    in_flight = asyncio.run(handled(Backlog(tenant1=100, tenant2=100), 40, is_shared=True, newcomer=3))
    assert in_flight[3] >= 1
    assert sum(in_flight.values()) <= 40


def test_cancelled_rows_are_returned_when_it_finishes() -> None:
    async def stop_early() -> list[Row]:
        started = asyncio.Semaphore(0)

        async def hang(row: Row) -> None:
            started.release()
            await asyncio.Event().wait()

        dispatcher = Dispatcher("test", Backlog(tenant1=3).claim, hang, 10, is_shared=False)
        running = asyncio.create_task(dispatcher.run())
        for _ in range(3):
            await started.acquire()
        running.cancel()
        return await dispatcher.finish(0)

    assert len(asyncio.run(stop_early())) == 3


def test_no_row_is_lost_when_it_finishes_during_a_claim() -> None:
    """What a claim took when the worker was told to stop is handled, not forgotten."""

    async def stop_during_a_claim() -> list[int]:
        backlog, handled = Backlog(tenant1=3), list[int]()
        dispatcher: Dispatcher[Row]

        def claim(shares: Shares) -> Claimed[Row]:
            loop.call_soon_threadsafe(finishing.set)
            return backlog.claim(shares)

        async def handle(row: Row) -> None:
            handled.append(row.number)

        loop, finishing = asyncio.get_running_loop(), asyncio.Event()
        dispatcher = Dispatcher("test", claim, handle, 10, is_shared=False)
        running = asyncio.create_task(dispatcher.run())
        await finishing.wait()
        assert await dispatcher.finish(5) == []
        await running
        return handled

    assert sorted(asyncio.run(stop_during_a_claim())) == [0, 1, 2]


def claimed_after(blocking_passes: int, enough: int) -> int:
    """How many times the event loop was blocked before the first claim; at most `blocking_passes` times."""

    async def count() -> int:
        blocked, claims = 0, list[int]()

        def claim(shares: Shares) -> Claimed[Row]:
            claims.append(blocked)
            return Claimed([])

        async def handle(row: Row) -> None:
            raise AssertionError(row)

        dispatcher = Dispatcher("test", claim, handle, 10, is_shared=False)
        running = asyncio.create_task(dispatcher.run())
        while not claims and blocked < enough:
            if blocked < blocking_passes:
                time.sleep(BEHIND_SECONDS)  # noqa: ASYNC251 - what it's about
                blocked += 1
            await asyncio.sleep(0)
        await dispatcher.finish(1)
        await running
        return claims[0]

    return asyncio.run(count())


def test_a_worker_that_is_behind_claims_nothing_yet() -> None:
    assert claimed_after(5, enough=1_000_000) == 5


def test_a_worker_that_stays_behind_still_claims() -> None:
    assert claimed_after(1_000, enough=1_000) <= IDLE_SECONDS / BEHIND_SECONDS + 1
