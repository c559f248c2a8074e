"""The bench's database: migrated, emptied, queried. Models are found by their table, wherever their module is."""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import ProgrammingError, connection
from django.db.models import Manager, Model

from .stack import DATA, NUMBERS

Value = str | int | float | None


def make_ready() -> str:
    """Migrate, and return PostgreSQL's version. It must be durable: that is what Parley promises."""
    try:
        call_command("migrate", verbosity=0)
    except ProgrammingError as error:
        raise SystemExit(
            f"The bench's database can't be migrated: {error}Delete .data/bench and start again."
        ) from error
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if one(f"SHOW {name}") != "on":
            raise SystemExit(f"{name} is off in this database: the bench measures durable commits only. Turn it on.")
    return "PostgreSQL " + str(one("SHOW server_version"))


def objects(table: str) -> Manager[Model]:
    """The manager of the model that is stored in `table`."""
    return next(model for model in apps.get_models() if model._meta.db_table == table)._default_manager


def execute(query: str, *values: Value) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)


def rows(query: str, *values: Value) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def one(query: str, *values: Value) -> Any:
    return rows(query, *values)[0][0]


def empty() -> None:
    """Leave nothing but tenants with one number each."""
    execute("TRUNCATE tenants, conversations, whatsapp_accounts, procrastinate_jobs, quarantined_events CASCADE")
    for number in NUMBERS:
        add_business(number)


def add_business(number: str, app_secret: str = "") -> Model:
    tenant = objects("tenants").create(name=f"Bench {number}", slug=f"bench-{number}")
    objects("whatsapp_accounts").create(
        tenant=tenant, phone_number_id=number, access_token="token", app_secret=app_secret
    )
    return tenant


def server_pids() -> list[int]:
    """The embedded PostgreSQL's process, or none if the server is elsewhere."""
    file = DATA / "postgres" / "postmaster.pid"
    return [int(file.read_text().split()[0])] if file.exists() else []


def libpq() -> dict[str, str]:
    """Environment variables with which psycopg and PostgreSQL's own programs find this database."""
    given = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    options = given.get("OPTIONS", {})
    found = {name: str(given.get(key) or "") for name, key in names.items()}
    found["PGHOST"] = found["PGHOST"] or str(options.get("host", ""))
    return {name: value for name, value in found.items() if value}


def url() -> str:
    """The database's URL without the scheme, which SQLAlchemy wants with a driver in it."""
    known = libpq()
    host, port = known.get("PGHOST", ""), known.get("PGPORT", "5432")
    password = f":{known['PGPASSWORD']}" if "PGPASSWORD" in known else ""
    return f"://{known.get('PGUSER', '')}{password}@/{known['PGDATABASE']}?host={host}&port={port}"
