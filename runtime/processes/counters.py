"""What this process counts for `/metrics`.

It's added to the database's totals every few seconds, so the numbers are those of the whole installation, and survive
restarts. A process loses what it counted in its last seconds.
"""

import json
import logging
import threading
from collections import Counter

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

SAVE_SECONDS = 10
# Upper limits in seconds of what `observe` counts.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# In one order, so that processes don't deadlock.
_ADD = """
INSERT INTO metric_counts (name, labels, value)
SELECT * FROM unnest(%s::text[], %s::jsonb[], %s::float[]) AS added (name, labels, value) ORDER BY name, labels
ON CONFLICT (name, labels) DO UPDATE SET value = metric_counts.value + excluded.value
"""

_lock = threading.Lock()
_unsaved: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()


def count(name: str, amount: float = 1, **labels: str) -> None:
    """Add to a counter. Labels have few different values: each combination is a row."""
    key = name, tuple(sorted(labels.items()))
    with _lock:
        _unsaved[key] += amount  # type: ignore[assignment]


def observe(name: str, seconds: float) -> None:
    """Add to a histogram."""
    for limit in BUCKETS:
        if seconds <= limit:
            count(f"{name}_bucket", le=f"{limit:g}")
    count(f"{name}_bucket", le="+Inf")
    count(f"{name}_sum", amount=seconds)


def save() -> int:
    """Add what has been counted to the totals; returns 0. What can't be saved is kept for the next time."""
    with _lock:
        taken = dict(_unsaved)
        _unsaved.clear()
    if taken:
        labels = [json.dumps(dict(labels)) for _, labels in taken]
        columns = [name for name, _ in taken], labels, [float(value) for value in taken.values()]
        try:
            with connection.cursor() as cursor:
                cursor.execute(_ADD, columns)
        except DatabaseError:
            with _lock:
                _unsaved.update(taken)
            raise
    return 0


def save_forever() -> None:
    """Save every few seconds in a thread of its own, for a process that doesn't run recurring functions."""

    def run() -> None:
        never = threading.Event()
        while not never.wait(SAVE_SECONDS):
            try:
                save()
            except DatabaseError as error:
                logger.warning("metrics: not saved, retrying: %s", error)
                connection.close()

    threading.Thread(target=run, name="counters", daemon=True).start()
