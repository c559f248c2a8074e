"""What was asked of the stand-ins and what they posted, for the panel and for tests."""

from typing import Any

from sandbox.models import LogEntry

KEPT = 5_000
_TRIM_EVERY = 500


def record(area: str, method: str, path: str, *, outcome: str, **fields: Any) -> None:
    """`fields`: body, status, opaque, wamid of LogEntry."""
    entry = LogEntry.objects.create(
        area=area, method=method, path=path[:500], outcome=outcome[:300], **fields
    )
    if entry.pk % _TRIM_EVERY == 0:
        LogEntry.objects.filter(pk__lte=entry.pk - KEPT).delete()


def as_json(entry: LogEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "time": entry.at.isoformat(),
        "area": entry.area,
        "method": entry.method,
        "path": entry.path,
        "opaque": entry.opaque,
        "wamid": entry.wamid,
        "body": entry.body,
        "status": entry.status,
        "outcome": entry.outcome,
    }
