"""A DOCX or XLSX file, whatever it's called."""

from collections.abc import Iterator
from typing import BinaryIO

from . import spreadsheet, word
from .archive import opened
from .refusal import UNKNOWN, Refused


def read(file: BinaryIO) -> Iterator[str]:
    names = set(opened(file).namelist())
    file.seek(0)
    if "word/document.xml" in names:
        return word.read(file)
    if "xl/workbook.xml" in names:
        return spreadsheet.read(file)
    raise Refused(UNKNOWN)
