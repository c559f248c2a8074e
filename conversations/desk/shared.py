"""Values that many desks need at the same time, made once per process.

A key must name everything that the value depends on, such as the version of the list: nothing here is ever out of date.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class _Entry(Generic[Value]):
    lock: Lock = field(default_factory=Lock)
    values: list[Value] = field(default_factory=list)  # one, or none yet


class Shared(Generic[Value]):
    """The most recent values by key."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: dict[Hashable, _Entry[Value]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of this key. Threads that need it while one makes it wait for that one."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            if len(self._entries) > self.limit:
                del self._entries[next(iter(self._entries))]  # the oldest
        with entry.lock:
            if not entry.values:
                entry.values.append(make())
            return entry.values[0]
