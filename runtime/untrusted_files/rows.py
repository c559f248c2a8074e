"""The rows of a table as lines that can be understood alone: “Cake: Apple; Price: 24.00”."""

import re
from collections.abc import Iterable, Iterator, Sequence

_NUMBER = re.compile(r"[\d\s.,:%€$£+-]+")


def lines_of(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """One line per row, with line breaks. The first row has the columns' names if all of its cells could be names."""
    names: Sequence[str] | None = None
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if names is None:
            names = cells if _are_names(cells) else ()
            if names:
                continue
        yield f"{'; '.join(_named(cells, names))}\n"


def _are_names(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return (
        len(filled) > 1
        and len(set(filled)) == len(filled)
        and not any(_NUMBER.fullmatch(cell) or len(cell) > 60 for cell in filled)
    )


def _named(cells: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for at, cell in enumerate(cells):
        if cell:
            name = names[at] if at < len(names) else ""
            yield f"{name}: {cell}" if name else cell
