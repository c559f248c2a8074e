"""Group commit on the event loop: batches, bad items, locked rows, an unavailable database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from django.db import IntegrityError, OperationalError

from runtime import batching
from runtime.batching import Batcher, GaveUp


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "RETRY_SECONDS", 0.001)


def run(write: Callable[[Sequence[int]], Awaitable[Sequence[str | None]]], items: Sequence[int]) -> list[object]:
    async def all_at_once() -> list[object]:
        batcher: Batcher[int, str] = Batcher(write, patience=0.1)
        return list(await asyncio.gather(*(batcher.add(item) for item in items), return_exceptions=True))

    return asyncio.run(all_at_once())


def test_what_is_ready_is_written_together() -> None:
    written: list[list[int]] = []

    async def write(batch: Sequence[int]) -> Sequence[str]:
        written.append(list(batch))
        await asyncio.sleep(0)
        return [f"stored {item}" for item in batch]

    assert run(write, [1, 2, 3]) == ["stored 1", "stored 2", "stored 3"]
    assert [item for batch in written for item in batch] == [1, 2, 3]
    assert len(written) < 3


def test_a_bad_item_fails_alone_and_its_neighbours_are_stored() -> None:
    stored: list[int] = []

    async def write(batch: Sequence[int]) -> Sequence[str]:
        if 13 in batch:
            raise IntegrityError("13 is refused")
        stored.extend(batch)
        return [f"stored {item}" for item in batch]

    results = run(write, range(40))
    assert [item for item, result in enumerate(results) if isinstance(result, IntegrityError)] == [13]
    assert sorted(stored) == [item for item in range(40) if item != 13]


def test_a_locked_row_is_tried_again_without_holding_up_the_others() -> None:
    seen: list[list[int]] = []

    async def write(batch: Sequence[int]) -> Sequence[str | None]:
        seen.append(list(batch))
        is_locked = len(seen) < 3
        return [None if item == 2 and is_locked else f"stored {item}" for item in batch]

    assert run(write, [1, 2, 3]) == ["stored 1", "stored 2", "stored 3"]
    assert seen[-1] == [2]


def test_it_waits_for_a_database_that_comes_back_and_does_not_split_the_batch() -> None:
    attempts: list[int] = []

    async def write(batch: Sequence[int]) -> Sequence[str]:
        attempts.append(len(batch))
        if len(attempts) < 3:
            raise OperationalError("server closed the connection unexpectedly")
        return [f"stored {item}" for item in batch]

    assert run(write, [1, 2]) == ["stored 1", "stored 2"]
    assert sorted(attempts) in ([1, 1, 2], [2, 2, 2], [1, 2, 2])


def test_it_gives_up_when_a_row_stays_locked() -> None:
    async def write(batch: Sequence[int]) -> Sequence[str | None]:
        return [None for _ in batch]

    (result,) = run(write, [1])
    assert isinstance(result, GaveUp)


def test_a_cancelled_writer_leaves_no_one_waiting() -> None:
    async def cancelled() -> list[object]:
        started = asyncio.Event()

        async def write(batch: Sequence[int]) -> Sequence[str]:
            started.set()
            await asyncio.Event().wait()
            return []

        batcher: Batcher[int, str] = Batcher(write, patience=10)
        adding = [asyncio.create_task(batcher.add(item)) for item in (1, 2)]
        await started.wait()
        assert batcher._writer is not None
        batcher._writer.cancel()
        return list(await asyncio.gather(*adding, return_exceptions=True))

    results = asyncio.run(cancelled())
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
