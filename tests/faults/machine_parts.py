"""Parts of the state machine: behaviours to choose from, a crash, and access to its own database."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

import httpx2
from asgiref.sync import async_to_sync
from django.db import connection

from assistant.model.errors import Completion
from assistant.model.retries import Outcome
from runtime import http

from . import behaviour
from .postgres import Row
from .wire import Reply

CUSTOMERS = ["1001", "1002"]
MODEL: dict[str, Reply | None] = {
    "answers": None,
    "fails": behaviour.model_error(500),
    "refuses": behaviour.model_error(400),
    "limits": behaviour.model_error(429, "rate_limit_exceeded"),
    "has no credit": behaviour.model_error(429, "insufficient_quota"),
}
GRAPH: dict[str, Reply] = {
    "accepts": Reply(accept=True),
    "accepts silently": Reply(accept=True, cut=True),
    "hangs up": Reply(cut=True),
    "throttles": behaviour.graph_error(130429),
    "refuses": behaviour.graph_error(131026),
    "holds": behaviour.graph_error(190, 401),
}
TABLES = "conversations, leads, quarantined_events, pauses, tenants, auth_user, procrastinate_jobs"


class Crash(BaseException):
    """The process dies here."""


class Tables:
    """The machine's own database, for the invariants."""

    def rows(self, query: str, *values: object) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(query, cast(Any, values) or None)
            names = [column.name for column in cursor.description or ()]
            return [_decoded(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _decoded(row: Row) -> Row:
    """Django's cursor leaves JSON as text."""
    seen = row.get("seen_messages")
    return {**row, "seen_messages": json.loads(seen)} if isinstance(seen, str) else row


def run(step: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """A crash must not leave the loop as an exception, because the loop would report it as its own."""
    if crash := async_to_sync(_until_it_dies)(step):
        raise crash


async def _until_it_dies(step: Callable[[], Coroutine[Any, Any, object]]) -> Crash | None:
    try:
        async with http.keep_connections():
            await step()
    except Crash as crash:
        return crash
    return None


def token(request: httpx2.Request) -> str:
    return str(request.headers["authorization"]).removeprefix("Bearer ")


def outcome_of(text: str) -> Outcome:
    completion = Completion(text, "m", 1, 0, 1, False, 0.1)
    return Outcome(completion, None, None, 0.1, False)
