"""Group commit for the event loop: what is ready now is written together, in one transaction.

Nothing waits for a batch to fill. The first item starts a batch of one; whatever arrives while that batch is being
written forms the next.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .database import is_transient

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST_BATCH = 200
RETRY_SECONDS = 0.2  # between two attempts while the database is unavailable or a row is locked


class GaveUp(Exception):
    """The database was unavailable, or a row stayed locked, for as long as the batcher is patient."""


@dataclass(eq=False, slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    deadline: float
    result: "asyncio.Future[Result]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fail(self, error: BaseException) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class Batcher(Generic[Item, Result]):
    """Writes items in batches; `write` gets a batch and returns one result per item, in order.

    - `write` returns None for an item whose row another transaction holds (SKIP LOCKED). It's tried again shortly,
      with whatever is ready then, so a held lock delays only its own item.
    - A batch that fails on its data is split in two until the bad item is alone. `add` raises its error there; its
      neighbours are unharmed.
    - While the database is unavailable, the batch is repeated.

    After `patience` seconds, `add` raises GaveUp.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result | None]]], patience: float) -> None:
        self._write = write
        self._patience = patience
        self._waiting: list[_Entry[Item, Result]] = []
        self._writer: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Write this item with whatever else is ready. Raises what `write` raised for it, or GaveUp."""
        entry: _Entry[Item, Result] = _Entry(item, asyncio.get_running_loop().time() + self._patience)
        self._enqueue(entry)
        return await entry.result

    def _enqueue(self, entry: _Entry[Item, Result]) -> None:
        self._waiting.append(entry)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            try:
                await self._store(batch)
            except BaseException as error:  # cancelled: everyone gets an answer
                for entry in [*batch, *self._waiting]:
                    entry.fail(error)
                raise

    async def _store(self, batch: list[_Entry[Item, Result]]) -> None:
        try:
            results = await self._write([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001 - it's raised where the item was added
            if is_transient(error):
                logger.warning("a batch of %s was not stored, trying again: %s", len(batch), error)
                self._later(batch)
            elif len(batch) == 1:
                batch[0].fail(error)
            else:
                middle = len(batch) // 2
                await self._store(batch[:middle])
                await self._store(batch[middle:])
            return
        for entry, result in zip(batch, results, strict=True):
            if result is not None and not entry.result.done():
                entry.result.set_result(result)
        self._later([entry for entry, result in zip(batch, results, strict=True) if result is None])

    def _later(self, entries: list[_Entry[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        for entry in entries:
            if loop.time() + RETRY_SECONDS > entry.deadline:
                entry.fail(GaveUp("The database was unavailable, or the row was locked, for too long."))
            else:
                loop.call_later(RETRY_SECONDS, self._enqueue, entry)
