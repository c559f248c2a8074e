"""Writing an export: one zip file after another, each in a job of its own, from where the last one ended.

Rows are read some at a time and written to a temporary file, so any number of them fits into memory. A part is stored
first and then recorded together with the position. If the worker dies, the next job writes the same part again, and
the file that nobody owns is removed.
"""

import json
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from conversations.files import removal
from conversations.files.attachments import opened
from conversations.models import Conversation
from privacy.models import Export, ExportPart
from privacy.people import Person

from .contents import TABLES, Table
from .requesting import expiry

PART_BYTES = 200 << 20
PART_ROWS = 250_000  # a part takes a minute or two: that much is done again after a crash
CONVERSATIONS = 20  # whose rows one query looks at
PROGRESS_ROWS = 2_000  # between two updates of what the page shows

Row = dict[str, Any]


@dataclass(slots=True)
class Position:
    """Where the next rows begin: the step, the last conversation that's complete, and the last row."""

    step: str = ""
    conversation: int = 0
    after: int | str = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A table's rows, or its files: within a zip file, one entry is written after another."""

    table: Table
    files: bool = False

    @property
    def name(self) -> str:
        return f"{self.table.name} files" if self.files else self.table.name


def steps_of(export: Export) -> list[Step]:
    tables = [t for t in TABLES if export.conversations is None or t.conversation or t.of_person]
    return [Step(table, files) for table in tables for files in ((False, True) if table.file else (False,))]


class PartWriter:
    """Writes the next part. Its methods are called from threads, one at a time."""

    def __init__(self, export: Export) -> None:
        self.export = export
        self.number = export.parts_written + 1
        self.name = f"exports/{uuid.uuid4().hex}.zip"
        self.position = Position(**export.position)
        self.steps = steps_of(export)
        # JSON Lines of a business, a JSON list of a person.
        self.first, self.between, self.last = (
            (b"", b"\n", b"\n") if export.conversations is None else (b"[", b",\n", b"]\n")
        )
        self.is_last = False
        self.rows = self.unsaved = 0
        self.missing: list[str] = []
        self.file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - `close` does
        self.zip = zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED)
        self.entry: IO[bytes] | None = None
        self.of: Step | None = None
        if export.total is None:
            export.total = sum(self._all(step).count() for step in self.steps)
            Export.objects.filter(pk=export.pk).update(total=export.total, error="")

    # --- reading ---

    def read(self) -> tuple[Step, list[Row]] | None:
        """The next rows, each with the exported columns; None if the part is full or the export complete."""
        if self.rows >= PART_ROWS or self.file.tell() >= PART_BYTES:
            return None
        names = [step.name for step in self.steps]
        index = names.index(self.position.step) if self.position.step else 0
        for step in self.steps[index:]:
            if step.name != self.position.step:
                self.position = Position(step.name)
            if rows := self._next(step):
                self.rows += len(rows)
                self._show_progress(len(rows))
                return step, rows
        self.is_last = True
        return None

    def _next(self, step: Step) -> list[Row]:
        table, at = step.table, self.position
        if not table.conversation:
            return self._batch(step, self._all(step))
        while ids := self._conversations(at.conversation):
            of_these = table.model._base_manager.filter(**{f"{table.conversation}__in": ids})
            if rows := self._batch(step, self._with_file(step, of_these)):
                return rows
            at.conversation, at.after = ids[-1], 0
        return []

    def _batch(self, step: Step, rows: "QuerySet[Any]") -> list[Row]:
        following = rows.filter(pk__gt=self.position.after) if self.position.after else rows
        at_once = 1 if step.files else step.table.at_once
        found = list(following.order_by("pk").values(*step.table.columns)[:at_once])
        if found:
            last = found[-1][step.table.model._meta.pk.attname]
            self.position.after = last if isinstance(last, int) else str(last)
        return found

    def _conversations(self, after: int) -> list[int]:
        mine = Conversation.objects.filter(tenant=self.export.tenant_id, pk__gt=after)
        if self.export.conversations is not None:
            mine = mine.filter(pk__in=self.export.conversations)
        return list(mine.order_by("pk").values_list("pk", flat=True)[:CONVERSATIONS])

    def _all(self, step: Step) -> "QuerySet[Any]":
        table, export = step.table, self.export
        if export.conversations is None or export.identifiers is None:
            path = f"{table.conversation}__tenant" if table.conversation else table.tenant
            if table.conversation == "pk":
                path = "tenant"
            return self._with_file(step, table.model._base_manager.filter(**{path: export.tenant_id}))
        if table.of_person:
            return table.of_person(Person(export.tenant_id, export.identifiers, export.conversations))
        mine = {f"{table.conversation}__in": export.conversations}
        return self._with_file(step, table.model._base_manager.filter(**mine))

    def _with_file(self, step: Step, rows: "QuerySet[Any]") -> "QuerySet[Any]":
        return rows.exclude(**{step.table.file: ""}) if step.files else rows

    def _show_progress(self, rows: int) -> None:
        self.unsaved += rows
        if self.unsaved >= PROGRESS_ROWS:
            self._save_progress()

    def _save_progress(self) -> None:
        done = self.export.done + self.rows
        Export.objects.filter(pk=self.export.pk, parts_written=self.number - 1).update(done=done)
        self.unsaved = 0

    # --- writing ---

    def write(self, step: Step, rows: Sequence[Row]) -> None:
        if step.files:
            self._end_entry()
            for row in rows:
                self._write_file(step.table, row)
            return
        before = self.between
        if self.entry is None or step != self.of:
            self._end_entry()
            ending = "jsonl" if self.export.conversations is None else "json"
            self.of, self.entry = step, self.zip.open(f"{step.name}-{self.number}.{ending}", "w", force_zip64=True)
            before = self.first
        for line in self._lines(step.table, rows):
            self.entry.write(before + line)
            before = self.between

    def _lines(self, table: Table, rows: Sequence[Row]) -> Iterator[bytes]:
        for row in rows:
            shown = {**row, table.file: _path(table, row)} if table.file else row
            yield json.dumps(shown, cls=DjangoJSONEncoder, ensure_ascii=False).encode("utf-8", "replace")

    def _write_file(self, table: Table, row: Row) -> None:
        """Files are compressed already."""
        entry = zipfile.ZipInfo(_path(table, row))
        try:
            source = opened(row[table.file])
        except FileNotFoundError:
            self.missing.append(entry.filename)
            return
        with closing(source), self.zip.open(entry, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target)

    def _end_entry(self) -> None:
        if self.entry is not None:
            self.entry.write(self.last)
            self.entry.close()
        self.entry = self.of = None

    # --- storing ---

    def announce(self) -> None:
        removal.announce(self.name)

    def store(self) -> None:
        """Complete the zip file and store it."""
        self._end_entry()
        if self.missing:
            self.zip.writestr(f"missing-files-{self.number}.txt", "\n".join(self.missing) + "\n")
        self.zip.close()
        self.file.seek(0)
        default_storage.save(self.name, File(self.file))

    def record(self) -> bool:
        """Whether more is left. If the export was deleted meanwhile, or another job was faster, the file goes."""
        size = self.file.seek(0, 2)
        with transaction.atomic():
            mine = Export.objects.filter(pk=self.export.pk, parts_written=self.number - 1, finished_at=None)
            moved = mine.update(
                parts_written=self.number,
                position=asdict(self.position),
                done=self.export.done + self.rows,
                error="",
                **({"finished_at": Now(), "expires_at": expiry()} if self.is_last else {}),
            )
            if moved:
                removal.keep(self.name)
                ExportPart.objects.create(export=self.export, number=self.number, file=self.name, size=size)
        removal.remove_if_unowned(self.name)
        return bool(moved) and not self.is_last

    def close(self) -> None:
        self._end_entry()
        self.zip.close()
        self.file.close()


def _path(table: Table, row: Row) -> str:
    """Of a row's file in the zip file; "" if it has none. Nothing in it was chosen by a sender."""
    name = row[table.file]
    return f"files/{table.name}/{row['id']}.{name.rpartition('.')[2]}" if name else ""
