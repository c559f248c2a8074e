"""Writes a backup: the database at one moment, then the files it names."""

import datetime as dt
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from psycopg.sql import SQL, Identifier
from tqdm import tqdm

from . import parts
from .parts import DATABASE, FILES, Manifest
from .programs import address, program

PARTIAL = ".partial-"
NAME = "%Y-%m-%dT%H%M%SZ"


def write(folder: Path, recipients: list[str], with_files: bool) -> tuple[Path, Manifest]:
    """Write a new backup into `folder`. It gets its final name only when it's complete and could be read again."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = dt.datetime.now(dt.UTC).strftime(NAME)
    partial, final = folder / f"{PARTIAL}{name}", folder / name
    partial.mkdir(mode=0o700)
    try:
        manifest = _dump(partial, recipients)
        if with_files:
            _pack(partial, recipients, manifest)
        manifest.write(partial)
        parts.check(partial, Manifest.read(partial))
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return final, manifest


def existing(folder: Path) -> list[Path]:
    """The complete backups in this folder, oldest first."""
    return sorted(found.parent for found in folder.glob(f"[0-9]*/{parts.MANIFEST}"))


def _dump(folder: Path, recipients: list[str]) -> Manifest:
    """The dump, and what was in the database at the moment that it shows: both read the same snapshot."""
    dump = program("pg_dump")
    where, environment = address()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot(), now()")
        snapshot, now = cursor.fetchone()
        manifest = Manifest(
            taken_at=now.isoformat(),
            version=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
            server=connection.connection.info.server_version,
            tables=rows_by_table(cursor, _tables(cursor)),
            migrations=sorted(".".join(each) for each in MigrationRecorder(connection).applied_migrations()),
        )
        command = [dump, "--format=custom", "--no-owner", "--no-privileges", "--no-comments", f"--snapshot={snapshot}"]
        with (
            parts.writing(folder, DATABASE, recipients, manifest) as target,
            subprocess.Popen([*command, "--dbname", where], env=environment, stdout=subprocess.PIPE) as process,
        ):
            assert process.stdout  # noqa: S101
            parts.copy(process.stdout, target, "database")
        if process.returncode:
            raise CommandError("pg_dump failed, so there is no backup.")
    if not recipients:  # an encrypted one can only be read with the key: see `restore --drill`
        read = [program("pg_restore"), "--file", os.devnull, str(folder / DATABASE)]
        if subprocess.run(read, check=False).returncode:
            raise CommandError("The dump can't be read again, so there is no backup.")
    return manifest


# Not what extensions own: it comes with them.
_TABLES = """
SELECT relname FROM pg_class c
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""


def _tables(cursor: CursorWrapper) -> list[str]:
    cursor.execute(_TABLES)
    return [table for (table,) in cursor.fetchall()]


def rows_by_table(cursor: "CursorWrapper | psycopg.Cursor[tuple[Any, ...]]", tables: Sequence[str]) -> dict[str, int]:
    counts = {}
    for table in tqdm(tables, desc="counting rows", unit=" tables", leave=False, disable=None):
        cursor.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table)))
        (counts[table],) = cursor.fetchone() or (0,)
    return counts


def _pack(folder: Path, recipients: list[str], manifest: Manifest) -> None:
    """The stored files. What is deleted meanwhile is left out."""
    with (
        parts.writing(folder, FILES, recipients, manifest) as target,
        tarfile.open(fileobj=target, mode="w|") as archive,
    ):
        for name in tqdm(_stored(""), desc="files", unit=" files", leave=False, disable=None):
            try:
                file = default_storage.open(name)
                _add(archive, name, file)
            except FileNotFoundError:
                continue
            manifest.files += 1


def _add(archive: tarfile.TarFile, name: str, file: "File[bytes]") -> None:
    with file:
        entry = tarfile.TarInfo(name)
        entry.size = file.size
        archive.addfile(entry, file)


def _stored(folder: str) -> Iterator[str]:
    """The names of all stored files in this folder and below."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored
        return
    for name in sorted(files):
        yield f"{folder}{name}"
    for name in sorted(folders):
        yield from _stored(f"{folder}{name}/")
