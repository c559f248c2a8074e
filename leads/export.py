"""Leads as a spreadsheet, written row by row, so that memory doesn't grow with their number."""

import datetime as dt
import tempfile
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from runtime.untrusted_files.table import as_cell, csv_lines

from .models import Lead

COLUMNS = {
    "tenant": "tenant__name",
    "name": "name",
    "phone": "phone",
    "stage": "stage",
    "source": "source",
    "first_text": "first_text",
    "notes": "notes",
    "created_at": "created_at",
}
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONGEST_CELL = 32_767  # Excel's limit, in characters
CHUNK = 500


def as_csv(leads: QuerySet[Lead]) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{_filename("csv")}"'}
    zone = timezone.get_current_timezone()  # the lines are written after the request's time zone has ended
    lines = csv_lines(_rows(leads, zone))
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def as_excel(leads: QuerySet[Lead]) -> FileResponse:
    """Written to a temporary file: in memory, 100,000 leads would need hundreds of megabytes."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Leads")
    for row in _rows(leads, timezone.get_current_timezone()):
        sheet.append([cell[:LONGEST_CELL] for cell in row])
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    book.save(file)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=_filename("xlsx"), content_type=EXCEL)


def _rows(leads: QuerySet[Lead], zone: dt.tzinfo) -> Iterator[list[str]]:
    yield list(COLUMNS)
    for values in leads.values_list(*COLUMNS.values()).iterator(chunk_size=CHUNK):
        yield [_cell(value, zone) for value in values]


def _cell(value: object, zone: dt.tzinfo) -> str:
    """A customer can put a formula into their name."""
    if isinstance(value, dt.datetime):
        value = value.astimezone(zone).isoformat(" ", "seconds")
    return as_cell(ILLEGAL_CHARACTERS_RE.sub("", "" if value is None else str(value)))


def _filename(extension: str) -> str:
    return f"leads-{timezone.localdate():%Y-%m-%d}.{extension}"
