"""Health checks: alive, ready, and what isn't."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client


def heartbeat(seconds_ago: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - %s * interval '1 second')",
            [seconds_ago],
        )


def test_alive_needs_nothing(client: Client) -> None:
    assert client.get("/healthz").json() == {"ok": True}


def test_ready_with_a_recent_worker(client: Client, db: None) -> None:
    heartbeat(30)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {"ok": True, "database": True, "migrations": True, "worker": True},
    )


def test_not_ready_when_the_last_worker_was_seen_too_long_ago(client: Client, db: None) -> None:
    heartbeat(90)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["worker"], response.json()["database"]) == (503, False, True)


def test_not_ready_while_a_migration_is_missing(client: Client, db: None) -> None:
    heartbeat(1)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'leads'")
    assert client.get("/readyz").json()["migrations"] is False


def test_not_ready_while_the_database_is_unavailable(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"] is False
