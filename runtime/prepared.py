"""Statements that are planned once per connection.

Django's own cursor binds parameters on the client, so PostgreSQL would parse and plan each statement again and again.
For a short transaction that costs more than running it.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connection


def execute(statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Run a statement with named parameters on Django's connection, and return its rows. Raises Django's errors."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []
