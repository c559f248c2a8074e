"""The rows of an XLSX file, sheet by sheet. Hidden sheets aren't read."""

import datetime as dt
from collections.abc import Iterator
from typing import BinaryIO

import openpyxl

from .archive import opened
from .rows import lines_of

CURRENCIES = "€$£¥₹"


def read(file: BinaryIO) -> Iterator[str]:
    opened(file).close()
    file.seek(0)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        yield f"\n# {sheet.title}\n\n"
        # What the file says about a sheet's size may be wrong, and far too large.
        sheet.reset_dimensions()
        yield from lines_of([shown(cell.value, str(cell.number_format)) for cell in row] for row in sheet.iter_rows())


def shown(value: object, form: str) -> str:
    """A cell nearly as its spreadsheet shows it."""
    if isinstance(value, dt.datetime):
        return str(value.date()) if value.time() == dt.time() else value.isoformat(" ", "minutes")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    decimals = len(form.partition(".")[2]) - len(form.partition(".")[2].lstrip("0"))
    if "%" in form:
        return f"{value * 100:.{decimals}f}%"
    number = f"{value:.{decimals}f}" if decimals else f"{value:.15g}"
    symbol = next((character for character in form if character in CURRENCIES), "")
    return f"{number} {symbol}".strip()
