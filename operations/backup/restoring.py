"""Restores a backup, all of it or nothing, or tries it out in a scratch database."""

import datetime as dt
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from tqdm import tqdm

from assistant.restores import FLAG
from conversations.handover import UNCERTAIN
from conversations.models import Conversation
from runtime.row_security.roles import OBJECTS

from . import parts
from .parts import DATABASE, FILES, Manifest
from .programs import address, program
from .promises import PROMISES
from .settling import settle_sql
from .writing import rows_by_table

SCRATCH = "parley_drill_"  # begins the name of a drill's database
_CLEAR = f"""
SET client_min_messages = warning;
DO $$
DECLARE command text;
BEGIN
    FOREACH command IN ARRAY ARRAY(
        SELECT format('DROP %s IF EXISTS %s CASCADE', kind, name) FROM ({OBJECTS}) AS objects (kind, name))
    LOOP
        EXECUTE command;
    END LOOP;
END $$;
"""  # noqa: S608
# A session of this role or another one, not one of the server's own processes.
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
"""
NAMED = (("attachments", "file"), ("attachments", "preview"), ("knowledge_sources", "file"))
FILLED = ("tenants", "auth_user", "conversations")


def opened(folder: Path) -> Manifest:
    """The manifest of a backup that is complete, undamaged and not from a newer version."""
    manifest = Manifest.read(folder)
    ours = {app.label for app in apps.get_app_configs() if Path(app.path).parent == settings.BASE_DIR}
    known = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    if unknown := [each for each in manifest.migrations if each.partition(".")[0] in ours and each not in known]:
        raise CommandError(
            f"The backup is from Parley {manifest.version}, which has the migration {unknown[0]}. This version doesn't "
            "know it. Install that version, or a newer one."
        )
    parts.check(folder, manifest)
    return manifest


def rows_to_lose() -> dict[str, int]:
    """What the database holds, if anything that matters."""
    tables = set(connection.introspection.table_names()) & set(FILLED)
    with connection.cursor() as cursor:
        counts = rows_by_table(cursor, sorted(tables))
    return {table: count for table, count in counts.items() if count}


def refuse_while_in_use() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        (others,) = cursor.fetchone()
    if others:
        raise CommandError(
            f"{others} other connections use the database. Stop the web processes and the workers, and whatever else "
            "is connected, then try again."
        )


def restore_database(
    folder: Path, manifest: Manifest, identity: str, answered_until: dt.datetime | None, database: str = ""
) -> None:
    """Replace everything in the database with the backup, in one transaction. If anything fails, nothing has changed.

    The transaction also settles what was open when the backup was made, so no worker sees it as it was.
    """
    part = manifest.part(DATABASE)
    if part is None:
        raise CommandError(f"{folder} has no database.")
    where, environment = address(database)
    settle = settle_sql(dt.datetime.fromisoformat(manifest.taken_at), answered_until)
    command = [program("psql"), "--no-psqlrc", "--quiet", "--output", os.devnull, "--set", "ON_ERROR_STOP=1"]
    with subprocess.Popen([*command, "--dbname", where], env=environment, stdin=subprocess.PIPE) as psql:
        assert psql.stdin  # noqa: S101
        try:
            psql.stdin.write(f"BEGIN;\nSET LOCAL statement_timeout = 0;\n{_CLEAR}".encode())
            psql.stdin.flush()
            with (
                parts.reading(folder, part, identity) as dump,
                subprocess.Popen(
                    [program("pg_restore"), "--no-owner", "--no-privileges", "--no-comments", "--file", "-"],
                    stdin=subprocess.PIPE,
                    stdout=psql.stdin,
                ) as reader,
            ):
                assert reader.stdin  # noqa: S101
                with tqdm.wrapattr(dump, "read", total=part.size, desc="database", leave=False, disable=None) as source:
                    shutil.copyfileobj(source, reader.stdin, parts.CHUNK)
                reader.stdin.close()
            if reader.returncode:
                raise CommandError("The dump couldn't be restored. Nothing was changed.")
            psql.stdin.write(f"\nRESET search_path;\n{settle}\nCOMMIT;\n".encode())
        except BrokenPipeError:
            pass  # psql has said why it ended
        except BaseException:
            psql.kill()  # so that it doesn't commit
            raise
    if psql.returncode:
        raise CommandError("The database couldn't be restored. Nothing was changed.")


def restore_files(folder: Path, manifest: Manifest, identity: str) -> int:
    """Store the files of the backup. Returns how many were missing or different."""
    stored = 0
    for entry, content in _packed(folder, manifest, identity):
        if default_storage.exists(entry.name):
            if default_storage.size(entry.name) == entry.size:
                continue
            default_storage.delete(entry.name)
        with tempfile.SpooledTemporaryFile(parts.CHUNK) as spool:
            shutil.copyfileobj(content, spool)
            default_storage.save(entry.name, File(spool))
        stored += 1
    return stored


def _packed(folder: Path, manifest: Manifest, identity: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    part = manifest.part(FILES)
    if part is None:
        return
    with (
        parts.reading(folder, part, identity) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
        tqdm(total=manifest.files, desc="files", unit=" files", leave=False, disable=None) as bar,
    ):
        for entry in archive:
            if content := archive.extractfile(entry):
                yield entry, content
                bar.update()


def drill(folder: Path, manifest: Manifest, identity: str) -> list[str]:
    """Restore into a scratch database, check it, and drop it. Returns what is wrong."""
    name = f"{SCRATCH}{uuid.uuid4().hex[:12]}"
    try:
        _administer(f"CREATE DATABASE {name} TEMPLATE template0")
    except psycopg.errors.InsufficientPrivilege as error:
        raise CommandError(
            f"A drill needs a role that may create databases (ALTER ROLE … CREATEDB): {error}"
        ) from error
    try:
        restore_database(folder, manifest, identity, None, name)
        where, environment = address(name)
        with psycopg.connect(where, password=environment.get("PGPASSWORD")) as scratch, scratch.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            return [*_differences(cursor, manifest), *_missing_files(cursor, folder, manifest, identity)]
    finally:
        _administer(f"DROP DATABASE {name} WITH (FORCE)")


def _administer(statement: str) -> None:
    """Run a statement about a whole database, which may take its time."""
    where, environment = address()
    with psycopg.connect(where, password=environment.get("PGPASSWORD"), autocommit=True) as server:
        server.execute("SET statement_timeout = 0")
        server.execute(statement.encode())


def _differences(cursor: "psycopg.Cursor[tuple[Any, ...]]", manifest: Manifest) -> Iterator[str]:
    # Restoring adds a row of its own.
    expected = {**manifest.tables, "restores": manifest.tables.get("restores", 0) + 1}
    found = rows_by_table(cursor, list(expected))
    for table, count in expected.items():
        if found[table] != count:
            yield f"{table} has {found[table]} rows instead of {count}."
    for promise, query in PROMISES.items():
        cursor.execute(query)
        (broken,) = cursor.fetchone() or (0,)
        if broken:
            yield f"{promise}: {broken}"


def _missing_files(
    cursor: "psycopg.Cursor[tuple[Any, ...]]", folder: Path, manifest: Manifest, identity: str
) -> Iterator[str]:
    if manifest.part(FILES) is None:
        return
    names = {entry.name for entry, _ in _packed(folder, manifest, identity)}
    if len(names) != manifest.files:
        yield f"There are {len(names)} files instead of {manifest.files}."
    for table, column in NAMED:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {column} <> ''")  # noqa: S608
        if missing := [name for (name,) in cursor.fetchall() if name not in names]:
            yield f"{len(missing)} files of {table}.{column} are missing, such as {missing[0]}."


def held() -> int:
    """The conversations that are flagged because of a restore."""
    return Conversation.objects.filter(needs_person__in=[FLAG, UNCERTAIN]).count()
