"""Leads as a table for a spreadsheet: what a row holds, and how it leaves row by row, however many there are."""

import csv
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from import_export import fields, resources
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from .models import Lead

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONGEST_CELL = 32_767  # Excel's own limit
AT_ONCE = 500
# What begins like this a spreadsheet runs as a formula: a customer could write one as a name.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class LeadResource(resources.ModelResource):  # type: ignore[misc]
    tenant = fields.Field(attribute="tenant__name", column_name="tenant")

    class Meta:
        model = Lead
        name = "Leads"
        fields = ["tenant", "name", "phone", "stage", "source", "first_text", "notes", "created_at"]
        export_order = fields

    def export_field(self, field: Any, instance: Lead, **kwargs: Any) -> str:
        return neutral(super().export_field(field, instance, **kwargs))

    def table(self, leads: Any) -> Iterator[list[str]]:
        columns = self.get_export_fields()
        yield [column.column_name for column in columns]
        for lead in leads.iterator(chunk_size=AT_ONCE):
            yield [self.export_field(column, lead) for column in columns]


def neutral(value: Any) -> str:
    """A cell that a spreadsheet shows and does not run."""
    text = ILLEGAL_CHARACTERS_RE.sub("", "" if value is None else str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


def as_csv(leads: Any) -> HttpResponseBase:
    """UTF-8 with a mark, for Excel; each line leaves when it is made."""
    headers = {"Content-Disposition": f'attachment; filename="{_name("csv")}"'}
    return StreamingHttpResponse(_lines(leads), content_type="text/csv; charset=utf-8", headers=headers)


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(leads: Any) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield "\ufeff"
    for row in LeadResource().table(leads):
        yield writer.writerow(row)


def as_excel(leads: Any) -> HttpResponseBase:
    """Written to a file on the disk row by row: as a whole in memory 100,000 leads would take hundreds of megabytes."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Leads")
    for row in LeadResource().table(leads):
        sheet.append([cell[:LONGEST_CELL] for cell in row])
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    book.save(file)
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=_name("xlsx"), content_type=EXCEL)


def _name(ending: str) -> str:
    return f"leads-{timezone.now():%Y-%m-%d}.{ending}"
