"""The bench's database: made ready, emptied, asked."""

import re
import tempfile
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connection

from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

from .stack import NUMBERS


def make_ready() -> str:
    """Migrate; which PostgreSQL it is. It must be durable: what is measured is the promise."""
    call_command("migrate", verbosity=0)
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if one(f"SHOW {name}") != "on":
            raise SystemExit(f"{name} is off in this database: the bench measures durable commits only. Turn it on.")
    return "PostgreSQL " + str(one("SHOW server_version"))


def one(query: str, *values: str | int | float | None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchone()[0]


def execute(query: str, *values: str | int | float | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)


def empty() -> None:
    """Tenants with one number each, and nothing else."""
    execute("TRUNCATE tenants, conversations, whatsapp_accounts, procrastinate_jobs, quarantined_events CASCADE")
    for number in NUMBERS:
        business(number)


def business(number: str) -> None:
    tenant = Tenant.objects.create(name=f"Bench {number}", slug=f"bench-{number}")
    WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token="token")


def rows(query: str, *values: str | int | float | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def libpq() -> dict[str, str]:
    """The environment in which PostgreSQL's own programs find this database."""
    given = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    options = given.get("OPTIONS", {})
    found = {name: str(given.get(key) or "") for name, key in names.items()}
    found["PGHOST"] = found["PGHOST"] or str(options.get("host", ""))
    return {name: value for name, value in found.items() if value}


def url() -> str:
    """As SQLAlchemy writes it, without the driver's name."""
    known = libpq()
    host, port = known.get("PGHOST", ""), known.get("PGPORT", "5432")
    password = f":{known['PGPASSWORD']}" if "PGPASSWORD" in known else ""
    return f"://{known.get('PGUSER', '')}{password}@/{known['PGDATABASE']}?host={host}&port={port}"


def round_trips(work: Callable[[], object]) -> int:
    """How often this process waited for the server while `work` ran: libpq's own trace says what was sent."""
    connection.ensure_connection()
    line = connection.connection.pgconn
    with tempfile.TemporaryFile() as trace:
        line.trace(trace.fileno())
        work()
        line.untrace()
        trace.seek(0)
        return len(re.findall(rb"\tF\t\d+\t(?:Query|Sync)\b", trace.read()))
