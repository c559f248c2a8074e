"""What has changed in a text, for people: lines that begin with + or -."""

import difflib
from collections import Counter
from collections.abc import Iterator

MOST_COMPARED = 2_000  # lines of each text; comparing takes up to the square of their number
MOST_SHOWN = 200
LONGEST_LINE = 300


def changes(old: str, new: str) -> str:
    """The added and removed lines. At most `MOST_SHOWN`."""
    found = list(_changed(_lines(old), _lines(new)))
    shown = [line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…" for line in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        shown.append(f"… and {len(found) - MOST_SHOWN:,} more lines")
    return "\n".join(shown)


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]


def _changed(old: list[str], new: list[str]) -> Iterator[str]:
    if max(len(old), len(new)) <= MOST_COMPARED:
        _, _, *lines = difflib.unified_diff(old, new, n=0, lineterm="") if old != new else ("", "")
        yield from (f"{line[0]} {line[1:]}" for line in lines if line[0] in "+-")
        return
    removed, added = Counter(old) - Counter(new), Counter(new) - Counter(old)
    yield from (f"- {line}" for line in removed.elements())
    yield from (f"+ {line}" for line in added.elements())
