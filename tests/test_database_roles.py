"""The two database roles of docs/deployment.md: one migrates, and the other runs Parley but can't change the tables."""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest
from django.db import connection

from runtime.row_security.scope import ROLE
from tests.faults.postgres import plain_environment
from tests.faults.processes import PRODUCTION, SECRET, Process, free_port, wait_until
from whatsapp.tests.factories import change, delivery, signed, text_message

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("database_roles")]
PROJECT = Path(__file__).resolve().parent.parent


def superusers_url(database: str) -> str:
    settings = connection.settings_dict
    user, password = settings["USER"], settings["PASSWORD"]
    return f"postgres://{user}:{password}@/{database}?host={settings['HOST']}&port={settings['PORT']}"


def environment(url: str, **others: str) -> dict[str, str]:
    return {**plain_environment(), **PRODUCTION, "DATABASE_URL": url, **others}


def manage(url: str, *arguments: str, **others: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment(url, **others), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Database:
    """A database with its roles. owner, app: their values for DATABASE_URL."""

    name: str
    owner: str
    app: str


@pytest.fixture
def database(db: None) -> Iterator[Database]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            pytest.skip("only a superuser can create the roles")
    name = f"test_roles_{secrets.token_hex(4)}"
    with psycopg.connect(superusers_url("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            printed = manage(superusers_url(name), "create_database_roles")
            owner, app = re.findall(r"DATABASE_URL=(\S+)", printed)
            again = manage(superusers_url(name), "create_database_roles")
            assert again.count("its password") == 2  # and nothing else has changed
            yield Database(name, owner, app)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
            server.execute(f"DROP ROLE IF EXISTS {name}_app")
            server.execute(f"DROP ROLE IF EXISTS {name}_owner")


def test_parley_runs_with_a_role_that_cannot_change_its_tables(database: Database, tmp_path: Path) -> None:
    manage(database.owner, "migrate", "--verbosity", "0")
    assert "All checks passed." in manage(database.app, "verify_chat_history")
    manage(database.app, "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com",
           DJANGO_SUPERUSER_PASSWORD="made-up-for-this-test")  # fmt: skip
    tokens = {}
    with psycopg.connect(database.app, autocommit=True) as app:
        for number, slug in (("1001", "ours"), ("1002", "theirs")):
            app.execute(
                "WITH made AS (INSERT INTO tenants (name, slug, is_active) VALUES (%(s)s, %(s)s, true) RETURNING id)"
                " INSERT INTO whatsapp_accounts (tenant_id, phone_number_id, display_phone_number, waba_id,"
                " access_token, app_secret, is_active) SELECT id, %(n)s, '', '', '', '', true FROM made",
                {"s": slug, "n": number},
            )
            tokens[slug] = manage(database.app, "api_key", "--business", slug).strip()
        port = free_port()
        web = Process(
            ["-m", "gunicorn", "-c", "config/gunicorn.py"],
            environment(database.app, PORT=str(port)),
            tmp_path / "web.log",
        )
        worker = Process(["manage.py", "worker"], environment(database.app), tmp_path / "worker.log")
        site = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        try:
            wait_until(lambda: app.execute("SELECT FROM procrastinate_workers").fetchall())
            wait_until(lambda: _answers(site))
            for number in ("1001", "1002"):
                body, signature = signed(
                    delivery(change(messages=[text_message("Hello")], phone_number_id=number)), SECRET
                )
                stored = site.post("/api/whatsapp/webhook", content=body, headers={"X-Hub-Signature-256": signature})
                assert stored.status_code == 200, stored.text
            for slug, number in (("ours", "1001"), ("theirs", "1002")):
                listed = site.get("/api/conversations", headers={"Authorization": f"Bearer {tokens[slug]}"})
                assert [each["phone_number_id"] for each in listed.json()["results"]] == [number]
            worker.terminate()
            assert worker.wait(60) == 0, worker.output
            for process in (web, worker):
                assert "ERROR" not in process.output
                assert "doesn't separate the businesses" not in process.output
        finally:
            site.close()
            web.kill()
            worker.kill()


def _answers(site: httpx2.Client) -> bool:
    try:
        return site.get("/healthz").status_code == 200
    except httpx2.TransportError:
        return False


def test_the_running_role_may_only_read_and_write_rows(database: Database) -> None:
    manage(database.owner, "migrate", "--verbosity", "0")
    with psycopg.connect(database.app, autocommit=True) as app:
        for forbidden in (
            "DROP TABLE conversation_messages",
            "ALTER TABLE leads ADD COLUMN mine text",
            "ALTER TABLE leads DISABLE ROW LEVEL SECURITY",
            "DROP POLICY parley_scope ON leads",
            "CREATE TABLE mine (id int)",
            "TRUNCATE conversations CASCADE",
            "CREATE ROLE mine",
            "COPY leads TO PROGRAM 'cat'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)
        app.execute("INSERT INTO tenants (name, slug, is_active) VALUES ('Ours', 'ours', true)")
        counted = "SELECT count(*) FROM tenants"
        assert app.execute(counted).fetchone() == (1,)
        app.execute(f"SET ROLE {ROLE}")
        assert app.execute(counted).fetchone() == (0,)
    found = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=PROJECT,
        env=environment(database.app),
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "Row-level security keeps the businesses apart." in found
    assert "owns the tables" not in found


def test_existing_tables_get_the_new_owner(database: Database) -> None:
    superuser = superusers_url(database.name)
    manage(superuser, "migrate", "--verbosity", "0")
    manage(superuser, "create_database_roles")
    manage(database.owner, "migrate", "--verbosity", "0")
    with psycopg.connect(database.owner) as owner:
        others = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        ).fetchall()
    assert others == []
