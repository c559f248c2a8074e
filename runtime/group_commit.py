"""Group commit for threads: what several threads bring at the same moment is stored together.

The first thread becomes the leader. It stores one batch that starts with its own item, hands each follower its result,
and passes leadership on to the next thread in line. Each follower waits on its own event; waiting on one lock would
wake the threads one behind the other. Nothing waits for a batch to fill: while one batch is stored, the next gathers.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class NotStored(Exception):
    """No result for this item: its batch failed or took too long. It may still have been committed."""


@dataclass(eq=False, slots=True)
class _Entry(Generic[Item, Result]):
    item: Item
    size: int
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    results: Sequence[Result] = ()  # one once it's stored
    error: BaseException | None = None


class GroupCommit(Generic[Item, Result]):
    """`store` gets a batch, in the order of arrival, and returns one result per item.

    A batch has at most `max_size` in all, but at least one item. A follower waits at most `patience` seconds.
    """

    def __init__(self, store: Callable[[Sequence[Item]], Sequence[Result]], *, max_size: int, patience: float) -> None:
        self._store = store
        self._max_size = max_size
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._has_leader = False

    def add(self, item: Item, size: int = 1) -> Result:
        """Store the item with whatever other threads bring. Raises NotStored."""
        entry: _Entry[Item, Result] = _Entry(item, size)
        with self._lock:
            self._waiting.append(entry)
            if not self._has_leader:
                self._has_leader = entry.leads = True
        if entry.leads or self._follow(entry):
            self._lead()
        if entry.results:
            return entry.results[0]
        raise NotStored(repr(entry.error) if entry.error else "It took too long.") from entry.error

    def _follow(self, entry: _Entry[Item, Result]) -> bool:
        """Wait for a result; True if it's this thread's turn to lead instead."""
        interrupted = True
        try:
            entry.woken.wait(self._patience)
            interrupted = False
        finally:
            with self._lock:
                if interrupted and entry.leads:
                    self._pass_on(without=entry)
                elif entry in self._waiting and not entry.leads:
                    self._waiting.remove(entry)
        return entry.leads

    def _lead(self) -> None:
        with self._lock:
            batch = self._next_batch()
        error: BaseException | None = None
        try:
            results = self._store([entry.item for entry in batch])
            for entry, result in zip(batch, results, strict=True):
                entry.results = (result,)
        except Exception as raised:  # noqa: BLE001 - each thread of the batch raises it
            error = raised
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._lock:
                self._pass_on()
            for entry in batch:
                entry.error = error
                entry.woken.set()

    def _next_batch(self) -> list[_Entry[Item, Result]]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and size + self._waiting[0].size <= self._max_size:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch

    def _pass_on(self, without: _Entry[Item, Result] | None = None) -> None:
        if without is not None:
            self._waiting.remove(without)
        self._has_leader = bool(self._waiting)
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()
