"""Checks of PostgreSQL: whether it can be reached, what the role may do, and what slows it down."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from runtime.row_security import policies
from runtime.row_security.roles import append_only_tables
from runtime.row_security.scope import ROLE

from .findings import Finding, error, ok, warning

OLDEST_VERSION = 15
CREATE_ROLES = "Run: python manage.py create_database_roles, as docs/deployment.md#roles says."
SLOW_MS = 20
FULL, NEARLY_FULL = 0.95, 0.8  # of the connections
IDLE_SECONDS = 60
CLOCK_SECONDS = 5
DEAD_ROWS, DEAD_SHARE = 100_000, 0.3
OLDEST_TRANSACTION = 1_200_000_000  # PostgreSQL stops at 2 billion
TIMEOUTS = {
    "statement_timeout": "DATABASE_STATEMENT_SECONDS",
    "lock_timeout": "DATABASE_LOCK_SECONDS",
    "idle_in_transaction_session_timeout": "DATABASE_IDLE_SECONDS",
}


def _rows(sql: str, *values: int | float | str | list[str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def reachable() -> Iterator[Finding]:
    try:
        version, name, is_standby = _rows(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery()"
        )[0]
    except OperationalError as failure:
        reason = " ".join(str(failure).split())
        yield error(f"The database can't be reached: {reason}", "Check DATABASE_URL, and that PostgreSQL is running.")
        return
    if version < OLDEST_VERSION * 10_000:
        yield error(f"PostgreSQL {name} is too old.", f"Upgrade it to version {OLDEST_VERSION} or newer.")
    else:
        yield ok(f"PostgreSQL {name}.")
    if is_standby or _rows("SHOW default_transaction_read_only")[0][0] == "on":
        yield error("The database is read-only.", "Point DATABASE_URL at the primary server.")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        _rows("SELECT 1")
        times.append((time.perf_counter() - began) * 1000)
    latency = statistics.median(times)
    if latency > SLOW_MS:
        yield warning(
            f"A query needs {latency:.0f} ms to the database and back.",
            "Run Parley in the database's region, or check whether either machine is overloaded.",
        )
    else:
        yield ok(f"A query needs {latency:.1f} ms.")


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in plan[:5])
        more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""
        yield error(f"Migrations aren't applied: {names}{more}.", "Run: python manage.py migrate")
    else:
        yield ok("All migrations are applied.")


def rights() -> Iterator[Finding]:
    role, is_superuser = _rows("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")[0]
    is_embedded = settings.DATABASES["default"]["ENGINE"] == "config.embedded_postgres"
    if is_superuser and not is_embedded:
        yield warning(
            f"Parley uses the superuser {role}.",
            "Use a role that can only read and write Parley's tables: see docs/deployment.md#roles.",
        )
    tables = sorted({model._meta.db_table for model in apps.get_models() if model._meta.managed} - append_only_tables())
    missing = [
        name
        for name, allowed in _rows(
            "SELECT c.relname, has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') "
            "AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') "
            "FROM pg_class c WHERE c.relname = ANY (%s) AND pg_table_is_visible(c.oid)",
            tables,
        )
        if not allowed
    ]
    if missing:
        yield error(
            f"The role {role} can't read and write {', '.join(sorted(missing)[:5])}.",
            CREATE_ROLES,
        )
    else:
        yield ok(f"The role {role} has the rights it needs.")
    for name, variable in TIMEOUTS.items():
        if _rows(f"SHOW {name}")[0][0] == "0":
            yield warning(f"The database has no {name}.", f"Set {variable}, or: ALTER ROLE {role} SET {name} = …")


def separation() -> Iterator[Finding]:
    """Whether PostgreSQL itself keeps the businesses apart: docs/adr/0018-row-level-security.md."""
    role, is_superuser, bypasses, owns, inherits, scoped = _rows(
        "SELECT current_user, r.rolsuper, r.rolbypassrls, pg_has_role(c.relowner, 'USAGE'),"
        " s.oid IS NOT NULL AND pg_has_role(s.oid, 'USAGE'), s.oid IS NOT NULL AND pg_has_role(s.oid, 'MEMBER')"
        " FROM pg_roles r JOIN pg_class c ON c.oid = to_regclass('tenants')"
        " LEFT JOIN pg_roles s ON s.rolname = %s WHERE r.rolname = current_user",
        ROLE,
    )[0]
    if not scoped:
        make = error if settings.MULTITENANT_ENABLED else warning
        yield make("Row-level security is off: only Parley's own filters keep the businesses apart.", CREATE_ROLES)
    elif unprotected := policies.missing():
        yield error(
            f"Row-level security doesn't protect {', '.join(sorted(unprotected)[:5])}.", "Run: python manage.py migrate"
        )
    elif inherits and not (owns or is_superuser or bypasses):
        yield error(f"The role {role} can't see any business's rows.", CREATE_ROLES)
    else:
        yield ok("Row-level security keeps the businesses apart.")
    if (owns or bypasses) and not is_superuser:
        what = "owns the tables, so it can change and drop them" if owns else "bypasses row-level security"
        yield warning(f"Parley runs with the role {role}, which {what}.", CREATE_ROLES)


def load() -> Iterator[Finding]:
    used, most = _rows(
        "SELECT count(*), current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
        " FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )[0]
    few = "Raise max_connections, use a pooler, or run fewer processes or threads."
    if used >= FULL * most:
        yield error(f"{used} of {most} connections to the database are in use.", few)
    elif used >= NEARLY_FULL * most:
        yield warning(f"{used} of {most} connections to the database are in use.", few)
    else:
        yield ok(f"{used} of {most} connections to the database are in use.")
    for pid, role, seconds in _rows(
        "SELECT pid, usename, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%%' AND datname = current_database()"
        " AND clock_timestamp() - state_change > %s * interval '1 second' ORDER BY xact_start LIMIT 5",
        IDLE_SECONDS,
    ):
        yield warning(
            f"The transaction of process {pid} ({role}) has been open and idle for {seconds} s, which keeps deleted "
            "rows and locks.",
            f"Find out whose it is, then end it: SELECT pg_terminate_backend({pid})",
        )


def tables() -> Iterator[Finding]:
    bloated = _rows(
        "SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables"
        " WHERE n_dead_tup > %s AND n_dead_tup > %s * (n_live_tup + n_dead_tup) ORDER BY n_dead_tup DESC LIMIT 5",
        DEAD_ROWS,
        DEAD_SHARE,
    )
    for table, dead, live in bloated:
        yield warning(
            f"The table {table} has {dead:,} dead rows and {live:,} live ones.",
            f"Check that autovacuum is running and no transaction is left open. Then run: VACUUM (ANALYZE) {table}",
        )
    invalid = _rows(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE NOT i.indisvalid AND pg_table_is_visible(c.oid) AND NOT EXISTS ("
        "SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    )
    for (index,) in invalid:
        yield error(
            f"The index {index} is invalid because building it was interrupted.",
            f"Run: REINDEX INDEX CONCURRENTLY {index}",
        )
    age = _rows("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")[0][0]
    if age > OLDEST_TRANSACTION:
        yield error(
            f"The oldest transaction ID is {age:,} transactions old. PostgreSQL stops accepting writes at 2 billion.",
            "Find out what keeps autovacuum from freezing rows, then run: VACUUM (FREEZE)",
        )
    if not bloated and not invalid:
        yield ok("No table has too many dead rows, and all indexes are valid.")


def pooler() -> Iterator[Finding]:
    """Prepares a statement and uses it again in other transactions, as the web processes do."""
    connection.ensure_connection()
    server: psycopg.Connection = connection.connection
    try:
        for _ in range(5):
            server.execute("SELECT 1", prepare=True)
    except psycopg.Error as failure:
        yield error(
            f"Prepared statements don't work: {' '.join(str(failure).split())[:200]}",
            "Use PgBouncer 1.21 or newer with max_prepared_statements above 0, or a direct connection.",
        )
    else:
        yield ok("Prepared statements work.")


def clock() -> Iterator[Finding]:
    before = time.time()
    there = float(_rows("SELECT extract(epoch FROM clock_timestamp())")[0][0])
    difference = abs(there - (before + time.time()) / 2)
    if difference > CLOCK_SECONDS:
        yield warning(
            f"The clocks of this machine and the database differ by {difference:.0f} s.",
            "Set up time synchronization (NTP) on both.",
        )
    else:
        yield ok("The clocks of this machine and the database agree.")
