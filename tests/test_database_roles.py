"""The two database roles of docs/deployment.md: one migrates, and the other runs Parley but can't change the tables."""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.faults.postgres import plain_environment
from tests.faults.processes import PRODUCTION, Process, wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("database_roles")]
PROJECT = Path(__file__).resolve().parent.parent
DOCUMENT = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
# Not the document's own names: the server may be someone's, with a database called parley.
NAME = f"test_roles_{secrets.token_hex(4)}"
OWNER, APP = (f"{NAME}_owner", "owner-password"), (f"{NAME}_app", "app-password")


def as_superuser(database: str, *statements: str) -> None:
    settings = connection.settings_dict
    with psycopg.connect(url(settings["USER"], settings["PASSWORD"], database), autocommit=True) as server:
        for statement in statements:
            server.execute(statement)


def url(user: str, password: str, database: str = NAME) -> str:
    settings = connection.settings_dict
    return f"postgres://{user}:{password}@/{database}?host={settings['HOST']}&port={settings['PORT']}"


@pytest.fixture
def documented(db: None) -> Iterator[None]:
    """What the document says, as it's pasted into psql."""
    found = re.search(r"```sql\n(.+?)\\connect parley\n(.+?)```", DOCUMENT, re.S)
    assert found
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            pytest.skip("only a superuser can create the roles")
    before, after = (re.sub(r"\bparley(?=_|\b)", NAME, part).strip().split("\n") for part in found.groups())
    as_superuser("postgres", *before)
    try:
        as_superuser(NAME, *after)
        yield
    finally:
        as_superuser("postgres", f"DROP DATABASE {NAME} WITH (FORCE)", f"DROP ROLE {APP[0]}", f"DROP ROLE {OWNER[0]}")


def environment(role: tuple[str, str]) -> dict[str, str]:
    return {**plain_environment(), **PRODUCTION, "DATABASE_URL": url(*role)}


def manage(role: tuple[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment(role), capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("documented")
def test_parley_runs_with_a_role_that_cannot_change_its_tables(tmp_path: Path) -> None:
    migrated = manage(OWNER, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    verified = manage(APP, "verify_chat_history")
    assert "All checks passed." in verified.stdout, verified.stdout + verified.stderr
    worker = Process(["manage.py", "worker"], environment(APP), tmp_path / "worker.log")
    try:
        with psycopg.connect(url(*APP), autocommit=True) as app:
            wait_until(lambda: app.execute("SELECT FROM procrastinate_workers").fetchall())
            for forbidden in (
                "DROP TABLE conversation_messages",
                "ALTER TABLE leads ADD COLUMN mine text",
                "CREATE TABLE mine (id int)",
                "TRUNCATE conversations CASCADE",
                "CREATE ROLE mine",
                "COPY leads TO PROGRAM 'cat'",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    app.execute(forbidden)
        worker.terminate()
        assert worker.wait(60) == 0, worker.output
        assert "ERROR" not in worker.output
    finally:
        worker.kill()
