"""Whose rows a statement may see and write: those of some businesses, of all, or of none.

PostgreSQL enforces it, through row-level security (`policies.py`). So a query whose filter was forgotten finds nothing
of another business. docs/adr/0018-row-level-security.md says why it's built like this.

A statement carries its scope in the same message, and for its transaction only. So it doesn't matter which connection,
thread or pooler it goes through. A statement for all businesses carries nothing, and costs nothing.
"""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import transaction
from psycopg.pq import TransactionStatus

logger = logging.getLogger(__name__)

ROLE = "parley_scoped"  # of a statement that doesn't see all businesses; the policies apply to it
SETTING = "parley.tenants"  # the IDs, as an array
UNPROTECTED = (
    "PostgreSQL doesn't separate the businesses yet, only Parley's own filters do: a database role is missing. "
    "Run `python manage.py create_database_roles` once, as a superuser: see docs/deployment.md#roles."
)


@dataclass(frozen=True, slots=True)
class Scope:
    tenants: tuple[int, ...] = ()
    everyone: bool = False


NOTHING, EVERYTHING = Scope(), Scope(everyone=True)

_of_process = NOTHING
_current: ContextVar[Scope | None] = ContextVar("scope", default=None)


def current() -> Scope:
    return _current.get() or _of_process


@contextmanager
def within(scope: Scope) -> Iterator[None]:
    """The statements in this block, or in the decorated function, have this scope."""
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def all_businesses() -> Iterator[None]:
    """For the few places in a request that have to look at all businesses, and for the webhook."""
    with within(EVERYTHING):
        yield


def enter(scope: Scope) -> None:
    """From now on, until the surrounding `within` ends: the request now knows whose it is."""
    _current.set(scope)


def open_process() -> None:
    """This process works for all businesses: a worker or a command. Web processes stay closed."""
    global _of_process
    _of_process = EVERYTHING


_ENFORCED = """
SELECT EXISTS (
    SELECT FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
    WHERE r.rolname = %s AND p.polrelid = to_regclass('tenants') AND pg_has_role(session_user, r.oid, 'MEMBER'))
"""


class Carrier:
    """Sends the scope with the statements of one of Django's connections."""

    def __init__(self) -> None:
        self._checked: object = None  # the connection to the server that was asked whether it enforces scopes
        self._is_enforced = False
        self._carried: Scope | None = EVERYTHING  # what the open transaction has; None: unknown

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection, cursor = context["connection"], context["cursor"]
        server: psycopg.Connection[Any] = connection.connection
        status = server.info.transaction_status
        if status == TransactionStatus.IDLE:
            self._carried = EVERYTHING
        if isinstance(sql, str) and sql.startswith(("SAVEPOINT ", "RELEASE SAVEPOINT ", "ROLLBACK TO SAVEPOINT ")):
            if sql.startswith("ROLLBACK"):
                self._carried = None  # what it was when the savepoint was made
            return execute(sql, params, many, context)
        scope = current()
        if scope == self._carried or status == TransactionStatus.INERROR or not self._enforces(connection, server):
            return execute(sql, params, many, context)
        prefix = "SET LOCAL ROLE NONE"
        if not scope.everyone:
            prefix = f"SET LOCAL ROLE {ROLE}; SET LOCAL {SETTING} = '{{{','.join(map(str, scope.tenants))}}}'"
        inner = getattr(cursor, "cursor", cursor)
        if isinstance(sql, str) and isinstance(inner, psycopg.ClientCursor) and not many:
            result = execute(f"{prefix}; {sql}", params, many, context)
            inner.set_result(prefix.count(";") + 1)
        else:  # prepared on the server, or a cursor there: PostgreSQL accepts one statement at a time
            with transaction.atomic(connection.alias) if status == TransactionStatus.IDLE else nullcontext():
                with connection.wrap_database_errors:
                    server.execute(prefix)
                result = execute(sql, params, many, context)
        self._carried = scope
        return result

    def _enforces(self, connection: Any, server: "psycopg.Connection[Any]") -> bool:
        if self._checked is not server:
            with connection.wrap_database_errors:
                row = server.execute(_ENFORCED, [ROLE]).fetchone()
            self._checked, self._is_enforced = server, bool(row and row[0])
            if not self._is_enforced:
                _warn_once()
        return self._is_enforced


@functools.cache
def _warn_once() -> None:
    logger.error(UNPROTECTED)


def carry_scopes(connection: Any, **kwargs: object) -> None:
    if not any(isinstance(wrapper, Carrier) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.append(Carrier())
