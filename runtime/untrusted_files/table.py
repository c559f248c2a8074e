"""The rows of a CSV file, its lines, and cells that are safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from .encoding import decoded
from .refusal import Refused
from .rows import lines_of

LONGEST_CELL = 20_000  # characters
_QUOTED = re.compile(r'"[^"]*"')
# A spreadsheet runs a cell that begins like this as a formula. With a quotation mark in front, it shows the rest.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def read(file: BinaryIO, charset: str = "") -> Iterator[str]:
    text = decoded(file.read(), charset).replace("\0", "")
    csv.field_size_limit(LONGEST_CELL)
    try:
        yield from lines_of(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text)))
    except csv.Error as error:
        if "field limit" in str(error):
            raise Refused(
                f"A cell has more than {LONGEST_CELL:,} characters. Is a closing quotation mark missing?"
            ) from None
        raise


def delimiter_of(text: str) -> str:
    """The most frequent one in the first line."""
    first = _QUOTED.sub("", text.lstrip()[:LONGEST_CELL]).partition("\n")[0]
    return max(",;\t|", key=first.count)


class _Line:
    """A file for csv.writer that returns each line."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a CSV file, as they're written, with a byte order mark, which Excel needs."""
    writer = csv.writer(_Line())
    yield "\ufeff"
    yield from map(writer.writerow, rows)


def as_cell(text: str) -> str:
    """A cell that a spreadsheet shows instead of running it."""
    return f"'{text}" if _FORMULA.match(text) else text


def of_cell(cell: str) -> str:
    """The text of a cell that `as_cell` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
