"""Group commit for threads: one batch for what came meanwhile, and a result or an error for everyone."""

import threading
from collections.abc import Callable, Sequence

import pytest

from runtime.group_commit import GroupCommit, NotStored, _Entry

SECONDS = 30.0  # longer than any step here takes, even on a busy machine


class Observed(GroupCommit[int, str]):
    """Signals when a thread has joined the line."""

    def __init__(self, store: Callable[[Sequence[int]], Sequence[str]], **limits: float) -> None:
        super().__init__(store, max_size=int(limits.get("max_size", 500)), patience=limits.get("patience", SECONDS))
        self.followers = threading.Semaphore(0)

    def _follow(self, entry: _Entry[int, str]) -> bool:
        self.followers.release()
        return super()._follow(entry)

    def wait_for_followers(self, count: int) -> None:
        for _ in range(count):
            assert self.followers.acquire(timeout=SECONDS)


class Store:
    """Records its batches. It doesn't finish the first one before `go` is set."""

    def __init__(self, fail: Callable[[Sequence[int]], BaseException | None] = lambda batch: None) -> None:
        self.batches: list[list[int]] = []
        self.started, self.go = threading.Event(), threading.Event()
        self._fail = fail

    def __call__(self, batch: Sequence[int]) -> Sequence[str]:
        self.batches.append(list(batch))
        self.started.set()
        assert self.go.wait(SECONDS)
        if error := self._fail(batch):
            raise error
        return [f"stored {item}" for item in batch]


class Threads:
    """Adds items, each from its own thread, and keeps the results."""

    def __init__(self, group: GroupCommit[int, str]) -> None:
        self.results: dict[int, object] = {}
        self._group = group
        self._threads: list[threading.Thread] = []

    def add(self, item: int, size: int = 1) -> None:
        def run() -> None:
            try:
                self.results[item] = self._group.add(item, size)
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                self.results[item] = error

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


def fill(group: Observed, store: Store, sizes: dict[int, int]) -> Threads:
    """Item 0 leads and is being stored; the others wait, in this order."""
    threads = Threads(group)
    threads.add(0)
    assert store.started.wait(SECONDS)
    for item, size in sizes.items():
        threads.add(item, size)
        group.wait_for_followers(1)
    return threads


def test_a_single_thread_stores_its_item_at_once() -> None:
    store = Store()
    store.go.set()
    assert Observed(store).add(7) == "stored 7"
    assert store.batches == [[7]]


def test_what_comes_meanwhile_is_one_batch_and_each_gets_its_own_result() -> None:
    store = Store()
    threads = fill(Observed(store), store, {1: 1, 2: 1, 3: 1})
    store.go.set()
    threads.join()
    assert store.batches == [[0], [1, 2, 3]]
    assert threads.results == {item: f"stored {item}" for item in range(4)}


def test_a_batch_is_no_larger_than_allowed_but_for_a_single_large_item() -> None:
    store = Store()
    threads = fill(Observed(store, max_size=10), store, {1: 6, 2: 4, 3: 1, 4: 50, 5: 1})
    store.go.set()
    threads.join()
    assert store.batches == [[0], [1, 2], [3], [4], [5]]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("killed"), KeyboardInterrupt()], ids=repr)
def test_a_leader_that_raises_gives_everyone_in_its_batch_an_error_and_passes_on(error: BaseException) -> None:
    store = Store(lambda batch: error if 1 in batch else None)
    threads = fill(Observed(store, max_size=2), store, {1: 1, 2: 1, 3: 1})
    store.go.set()
    threads.join()
    assert store.batches == [[0], [1, 2], [3]]
    assert (threads.results[0], threads.results[3]) == ("stored 0", "stored 3")
    follower = threads.results[2]
    assert isinstance(follower, NotStored)
    assert follower.__cause__ is error
    leader = threads.results[1]
    assert leader is error or (isinstance(leader, NotStored) and leader.__cause__ is error)


def test_a_missing_result_is_an_error() -> None:
    with pytest.raises(NotStored):
        GroupCommit[int, str](lambda batch: [], max_size=1, patience=1).add(1)


def test_a_follower_that_waits_too_long_gets_an_error_and_its_item_is_not_stored_later() -> None:
    store = Store()
    group = Observed(store, patience=0.01)
    threads = fill(group, store, {})
    with pytest.raises(NotStored, match="too long"):
        group.add(1)
    store.go.set()
    threads.join()
    assert group.add(2) == "stored 2"
    assert store.batches == [[0], [2]]


def test_a_follower_that_is_interrupted_passes_leadership_on() -> None:
    class Interrupted(Observed):
        """The thread with item 1 is interrupted just when it becomes the leader."""

        def _follow(self, entry: _Entry[int, str]) -> bool:
            if entry.item == 1:
                entry.woken.wait = self._interrupt(entry)  # type: ignore[method-assign, assignment]
            return super()._follow(entry)

        def _interrupt(self, entry: _Entry[int, str]) -> Callable[[float | None], bool]:
            wait = entry.woken.wait

            def interrupted(timeout: float | None = None) -> bool:
                wait(timeout)
                raise KeyboardInterrupt

            return interrupted

    store = Store()
    threads = fill(Interrupted(store), store, {1: 1, 2: 1})
    store.go.set()
    threads.join()
    assert isinstance(threads.results[1], KeyboardInterrupt)
    assert threads.results[2] == "stored 2"
    assert store.batches == [[0], [2]]


def test_many_threads_at_once_lose_nothing_and_mix_nothing() -> None:
    stored: list[int] = []

    def store(batch: Sequence[int]) -> list[str]:
        stored.extend(batch)
        return [f"stored {item}" for item in batch]

    group = GroupCommit[int, str](store, max_size=5, patience=SECONDS)
    wrong: list[int] = []

    def work(first: int) -> None:
        wrong.extend(item for item in range(first, first + 200) if group.add(item) != f"stored {item}")

    threads = [threading.Thread(target=work, args=[200 * number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not wrong
    assert sorted(stored) == list(range(16 * 200))
