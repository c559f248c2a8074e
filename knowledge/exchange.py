"""Questions and texts as CSV or JSON: exported, and imported again after a preview of the changes.

Sources have no ID in these files. A row is the source of the same kind and title, so that a file can be edited, or
imported by another business.
"""

import csv
import datetime as dt
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from runtime.untrusted_files.table import as_cell, delimiter_of, of_cell
from runtime.untrusted_json import UnreadableJson, as_dict, loads, one_line
from tenants.models import Tenant

from . import sources
from .models import LONGEST_TITLE, WRITTEN_HERE, Source

COLUMNS = ("kind", "title", "text", "public_url", "enabled", "expires_at")
# The names that people use in a file of questions.
NAMES = {"question": "title", "answer": "text", "url": "public_url", "link": "public_url"}
MOST_ROWS = 5_000
LARGEST = 2_000_000  # characters of a file; the form sends it back to be confirmed
TRUTH = {**dict.fromkeys(("true", "yes", "1", ""), True), **dict.fromkeys(("false", "no", "0"), False)}


class Unreadable(Exception):
    """The file can't be imported. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One source of a file. number: as a spreadsheet counts its rows. problem: why it can't be imported, or ""."""

    number: int
    values: Mapping[str, object]
    problem: str = ""

    @property
    def title(self) -> str:
        return str(self.values.get("title", ""))


@dataclass(slots=True)
class Plan:
    """What an import would do."""

    new: list[Source] = field(default_factory=list)
    changed: list[Source] = field(default_factory=list)
    unchanged: int = 0
    problems: list[Row] = field(default_factory=list)


# --- Exporting ----------------------------------------------------------------------------------------------


def as_csv(rows: "QuerySet[Source]") -> str:
    """With a byte order mark, which Excel needs."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for values in _exported(rows):
        writer.writerow([_cell(values[name]) for name in COLUMNS])
    return f"\ufeff{file.getvalue()}"


def as_json(rows: "QuerySet[Source]") -> str:
    return json.dumps(list(_exported(rows)), ensure_ascii=False, indent=1)


def _exported(rows: "QuerySet[Source]") -> Iterator[dict[str, object]]:
    for source in rows.filter(kind__in=WRITTEN_HERE).order_by("id").iterator(chunk_size=200):
        yield {name: getattr(source, name) for name in COLUMNS} | {
            "expires_at": source.expires_at.isoformat() if source.expires_at else None
        }


def _cell(value: object) -> str:
    return as_cell("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))


# --- Importing ----------------------------------------------------------------------------------------------


def plan(tenant: Tenant, text: str) -> Plan:
    """What importing this file would do. Raises Unreadable."""
    found = Plan()
    known: defaultdict[tuple[str, str], list[Source]] = defaultdict(list)
    for source in Source.objects.filter(tenant=tenant, kind__in=WRITTEN_HERE).order_by("-id"):
        known[source.kind, source.title].append(source)
    for row in _rows(text):
        if row.problem:
            found.problems.append(row)
            continue
        # Several with the same title are matched in order.
        same = known[str(row.values["kind"]), row.title]
        if not same:
            found.new.append(Source(tenant=tenant, **row.values))
            continue
        source = same.pop()
        changes = {name: value for name, value in row.values.items() if getattr(source, name) != value}
        for name, value in changes.items():
            setattr(source, name, value)
        if changes:
            found.changed.append(source)
        else:
            found.unchanged += 1
    return found


def carry_out(found: Plan) -> None:
    """All of it or nothing. Raises TooMuch."""
    with transaction.atomic():
        for source in (*found.changed, *found.new):
            sources.save(source)


def _rows(text: str) -> Iterator[Row]:
    text = text.removeprefix("\ufeff")
    if len(text) > LARGEST:
        raise Unreadable(f"The file has more than {LARGEST:,} characters. Split it into several.")
    is_json = text.lstrip()[:1] in ("[", "{")
    for count, (number, values) in enumerate(_of_json(text) if is_json else _of_csv(text)):
        if count == MOST_ROWS:
            raise Unreadable(f"The file has more than {MOST_ROWS:,} rows. Split it into several.")
        try:
            yield Row(number, _checked(values))
        except ValidationError as error:
            yield Row(number, {"title": one_line(str(values.get("title") or ""), 80)}, " ".join(error.messages))


def _of_json(text: str) -> Iterable[tuple[int, Mapping[str, object]]]:
    try:
        found = loads(text.encode("utf-8", "replace"))
    except UnreadableJson as error:
        raise Unreadable(f"This isn't valid JSON: {error.reason}.") from None
    if not isinstance(found, list):
        raise Unreadable('The JSON must be a list of objects, such as [{"question": "…", "answer": "…"}].')
    return enumerate((_renamed(as_dict(each)) for each in found), start=1)


def _of_csv(text: str) -> Iterable[tuple[int, Mapping[str, object]]]:
    csv.field_size_limit(LARGEST)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        names = {NAMES.get(name, name) for name in map(_column, reader.fieldnames or ())}
        if not {"title", "text"} <= names:
            raise Unreadable(
                "The first row must name the columns: at least “question” and “answer”, or “title” and “text”."
            )
        for number, cells in enumerate(reader, start=2):  # the names are the first row
            if any(cells.values()):
                yield number, _renamed({_column(name): of_cell(cell or "") for name, cell in cells.items() if name})
    except csv.Error as error:
        raise Unreadable(f"This isn't valid CSV, in line {reader.line_num}: {error}.") from None


def _column(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _renamed(values: Mapping[str, object]) -> dict[str, object]:
    return {NAMES.get(name, name): value for name, value in values.items()}


def _checked(values: Mapping[str, object]) -> dict[str, object]:
    """The columns of a source. Raises ValidationError."""
    kind = str(values.get("kind") or Source.Kind.QUESTION).strip().lower()
    if kind not in WRITTEN_HERE:
        raise ValidationError(f"“{kind[:40]}” can't be imported: the kind must be question or text.")
    title = str(values.get("title") or "")
    if not title.strip() or title != one_line(title, LONGEST_TITLE):
        what = "question" if kind == Source.Kind.QUESTION else "title"
        raise ValidationError(f"The {what} must be one line of 1 to {LONGEST_TITLE} characters.")
    enabled = TRUTH.get(str(values.get("enabled", "")).strip().lower())
    if enabled is None:
        raise ValidationError("“enabled” must be true or false.")
    return {
        "kind": kind,
        "title": title,
        "text": sources.checked_text(kind, str(values.get("text") or "")),
        "public_url": sources.checked_link(str(values.get("public_url") or "")),
        "enabled": enabled,
        "expires_at": _moment(str(values.get("expires_at") or "").strip()),
    }


def _moment(text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise ValidationError("“expires_at” must be a date and time, such as 2027-01-31T18:00:00+00:00.")
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
