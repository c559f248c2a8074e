"""Statements that are planned once per connection.

Django's own cursor binds parameters on the client, so PostgreSQL would parse and plan each statement again and again.
For a short transaction that costs more than running it.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from django.db import connection


def execute(statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Run a statement with named parameters on Django's connection, and return its rows. Raises Django's errors."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        run: Callable[..., None] = _execute
        for wrapper in connection.execute_wrappers:
            run = functools.partial(wrapper, run)
        run(statement, parameters, False, {"connection": connection, "cursor": cursor})
        with connection.wrap_database_errors:
            return cursor.fetchall() if cursor.description else []


def _execute(sql: str, params: Mapping[str, object], many: bool, context: dict[str, Any]) -> None:
    with connection.wrap_database_errors:
        context["cursor"].execute(sql, params, prepare=True)
