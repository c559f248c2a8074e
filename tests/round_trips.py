"""Counts how often code waits for the database."""

import re
import tempfile
from collections.abc import Callable

from django.db import connection


def round_trips(work: Callable[[], object]) -> int:
    """How often this process waits for the server while `work` runs, according to libpq's own trace."""
    connection.ensure_connection()
    line = connection.connection.pgconn
    with tempfile.TemporaryFile() as trace:
        line.trace(trace.fileno())
        work()
        line.untrace()
        trace.seek(0)
        return len(re.findall(rb"\tF\t\d+\t(?:Query|Sync)\b", trace.read()))
