"""Our own PostgreSQL server, which a test may stop, and a new database for each test."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from config.embedded_postgres import server
from config.embedded_postgres.cluster import PORT, Cluster

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = "parley_template"
Row = dict[str, Any]


class Postgres:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(folder / "postgres")
        self._serial = itertools.count(1)
        server.join(self.cluster.data)

    @property
    def socket(self) -> str:
        return f"{self.cluster.socket_folder}/.s.PGSQL.{PORT}"

    def url(self, name: str) -> str:
        return f"postgres://postgres@/{name}?host={self.cluster.socket_folder}"

    def prepare(self, environment: dict[str, str]) -> None:
        """Migrate once; every test's database is a copy."""
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=PROJECT,
            env={**environment, "DATABASE_URL": self.url(TEMPLATE)},
            check=True,
        )

    def create(self) -> "Database":
        name = f"faults_{next(self._serial)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return Database(self, name)

    def stop(self) -> None:
        self.cluster.stop()

    def start(self) -> None:
        keeper = [sys.executable, "-m", "config.embedded_postgres.keeper", str(self.cluster.data)]
        subprocess.run(keeper, cwd=PROJECT, check=True)

    def drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, query: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(query)


class Database:
    """One test's database, queried in plain SQL, so that the checks don't depend on the product's code."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.postgres, self.name = postgres, name
        self.url = postgres.url(name)

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            # Without values there are no placeholders, so that several statements are allowed.
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: str, *values: object) -> Any:
        """The first column of the first row; None if there's no row."""
        found = self.rows(query, *values)
        return next(iter(found[0].values())) if found else None

    def execute(self, query: str, *values: object) -> None:
        self.rows(query, *values)

    def insert(self, table: str, **columns: object) -> int:
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        return int(self.one(f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id", *columns.values()))

    def column(self, query: str, *values: object) -> Sequence[Any]:
        return [next(iter(row.values())) for row in self.rows(query, *values)]

    def drop(self) -> None:
        self.postgres.drop(self.name)


@contextmanager
def running(environment: dict[str, str]) -> Iterator[Postgres]:
    """A server in a temporary folder, migrated."""
    folder = Path(tempfile.mkdtemp(prefix="parley-faults-"))
    try:
        postgres = Postgres(folder)
        postgres.prepare(environment)
        yield postgres
        postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def plain_environment() -> dict[str, str]:
    """What every process needs, without the settings of the person running the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "TZ": "UTC", "PYTHONHASHSEED": str(int(time.time()) % 1000)}
