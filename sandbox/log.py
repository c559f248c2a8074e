"""The log of requests to the stand-ins and of the webhooks they post, for the log panel and for tests."""

from typing import Any

from django.http import HttpRequest

from sandbox.models import LogEntry
from sandbox.stored_json import loads

KEPT = 5_000
LONGEST = 100_000
_TRIM_EVERY = 500
UNDER_WAY = "under way"


def begin(area: str, method: str, path: str, body: Any = None) -> LogEntry:
    """Written before the response, so that a hanging request is visible."""
    entry = LogEntry.objects.create(area=area, method=method, path=path[:500], body=body, outcome=UNDER_WAY)
    if entry.pk % _TRIM_EVERY == 0:
        LogEntry.objects.filter(pk__lte=entry.pk - KEPT).delete()
    return entry


def begin_request(area: str, request: HttpRequest, body: Any = None) -> LogEntry:
    return begin(area, request.method or "", request.get_full_path(), body)


def finish(entry: LogEntry, outcome: str, status: int | None, opaque: str = "", wamid: str = "") -> None:
    entry.outcome, entry.status, entry.opaque, entry.wamid = outcome[:300], status, opaque, wamid
    entry.save(update_fields=["outcome", "status", "opaque", "wamid"])


def storable(raw: bytes) -> Any:
    """A request's JSON for the log, or None if it's invalid or PostgreSQL can't store it."""
    try:
        return shortened(loads(raw))
    except ValueError:
        return None


def shortened(value: Any) -> Any:
    """Images are sent as text. The log doesn't need them."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:200]}… ({len(value)} characters)"
    return value


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
