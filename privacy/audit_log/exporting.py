"""The audit log as a file, written as it's read: a business may have millions of entries."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from audit.models import AuditEntry
from audit.sentences import sentence
from runtime.untrusted_files.table import as_cell, csv_lines

CHUNK = 1_000
COLUMNS = (
    "id",
    "time",
    "business",
    "who",
    "kind",
    "who_id",
    "ip_address",
    "action",
    "what",
    "object_type",
    "object_id",
)


def as_csv(entries: "QuerySet[AuditEntry]") -> StreamingHttpResponse:
    """The last column has the changes as JSON."""
    return _download(csv_lines(_rows(entries)), "text/csv; charset=utf-8", "csv")


def as_json(entries: "QuerySet[AuditEntry]") -> StreamingHttpResponse:
    """One object per line, so that a file of any size can be read."""
    lines = (json.dumps(_values(each) | {"changes": each.changes}, ensure_ascii=False) + "\n" for each in _all(entries))
    return _download(lines, "application/x-ndjson; charset=utf-8", "json")


def _download(lines: Iterator[str], content_type: str, extension: str) -> StreamingHttpResponse:
    name = f"audit-log-{timezone.localdate():%Y-%m-%d}.{extension}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type=content_type, headers=headers)


def _rows(entries: "QuerySet[AuditEntry]") -> Iterator[list[str]]:
    yield [*COLUMNS, "changes"]
    for each in _all(entries):
        changes = json.dumps(each.changes, ensure_ascii=False) if each.changes else ""
        values = (*_values(each).values(), changes)
        yield ["" if value is None else as_cell(str(value)) for value in values]


def _all(entries: "QuerySet[AuditEntry]") -> Iterator[AuditEntry]:
    """Newest first, in steps: a single query would be stopped after `DATABASE_STATEMENT_SECONDS`."""
    rows = entries.order_by("-pk")
    found = list(rows[:CHUNK])
    while found:
        yield from found
        found = list(rows.filter(pk__lt=found[-1].pk)[:CHUNK])


def _values(entry: AuditEntry) -> dict[str, object]:
    values = (
        entry.pk,
        entry.at.isoformat(timespec="seconds"),
        entry.business,
        entry.actor,
        entry.actor_kind,
        entry.actor_id,
        entry.address,
        entry.action,
        sentence(entry),
        entry.object_type,
        entry.object_id,
    )
    return dict(zip(COLUMNS, values, strict=True))
