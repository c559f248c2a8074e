"""The places of a process: a model that hangs for one tenant must not take all of them from the others.

A turn that finds its tenant's places taken waits here, by its id, for one to become free. That is only a wake-up: what
is forgotten when the process ends, the sweep finds.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator

from django.conf import settings

_taken: Counter[int | None] = Counter()
_waiting: defaultdict[int | None, dict[int, None]] = defaultdict(dict)


def full() -> set[int | None]:
    """The tenants that have all the places one may have."""
    most = max(1, settings.WORKER_CONCURRENCY // 2)
    return {tenant_id for tenant_id, count in _taken.items() if count >= most}


@contextlib.contextmanager
def taken(tenant_id: int | None) -> Iterator[None]:
    _taken[tenant_id] += 1
    try:
        yield
    finally:
        _taken[tenant_id] -= 1
        if not _taken[tenant_id]:
            del _taken[tenant_id]


def wait(tenant_id: int | None, turn_id: int) -> None:
    _waiting[tenant_id][turn_id] = None


def next_in(tenant_id: int | None) -> int | None:
    """The turn that has waited longest and may have a place now, once; None when there is no such."""
    if tenant_id in full() or not _waiting.get(tenant_id):
        return None
    turn_id = next(iter(_waiting[tenant_id]))
    del _waiting[tenant_id][turn_id]
    if not _waiting[tenant_id]:
        del _waiting[tenant_id]
    return turn_id
