"""Leads as a table for a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

COLUMNS = ["name", "phone", "stage", "source", "first_text", "notes", "created_at"]
# What begins like this a spreadsheet runs as a formula: a customer could write one as a name.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def as_csv(leads: Iterable[Any]) -> StreamingHttpResponse:
    """The leads as a CSV file (UTF-8 with a mark, for Excel), streamed line by line."""
    name = f"leads-{timezone.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_lines(leads), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(leads: Iterable[Any]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff"
    yield writer.writerow(COLUMNS)
    for lead in leads:
        yield writer.writerow([neutral(getattr(lead, column)) for column in COLUMNS])


def neutral(value: Any) -> str:
    """A cell that a spreadsheet shows and does not run."""
    text = value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
