"""Background work in one process: daemon threads and a queue sorted by time."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

logger = logging.getLogger(__name__)


class Pool:
    """`submit` returns immediately. `wait_idle` is for tests and commands."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._started = 0
        self._jobs: list[tuple[float, int, Callable[[], Any]]] = []
        self._order = itertools.count()
        self._running = 0
        self._changed = threading.Condition()

    def submit(self, job: Callable[[], Any], delay: float = 0) -> None:
        with self._changed:
            heapq.heappush(self._jobs, (time.monotonic() + delay, next(self._order), job))
            if self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._work, name=f"sandbox-{self._started}", daemon=True).start()
            self._changed.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no job is running or scheduled. False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._running, timeout)

    def stop(self, timeout: float) -> bool:
        """Wait until no job is running, then drop the scheduled ones. False after the timeout."""
        with self._changed:
            stopped = self._changed.wait_for(lambda: not self._running, timeout)
            self._jobs.clear()
            self._changed.notify_all()
            return stopped

    def _work(self) -> None:
        while True:
            job = self._next()
            try:
                job()
            except Exception:
                logger.exception("A background job in the sandbox failed")
            finally:
                connections.close_all()
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def _next(self) -> Callable[[], Any]:
        with self._changed:
            while not self._jobs or self._jobs[0][0] > time.monotonic():
                self._changed.wait(self._jobs[0][0] - time.monotonic() if self._jobs else None)
            self._running += 1
            return heapq.heappop(self._jobs)[2]


pool = Pool(threads=8)
