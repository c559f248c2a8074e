"""The rate limit per key, across processes, and its headers."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from api.models import RateWindow
from api.tests.clients import Clients


def test_headers_show_what_is_left_and_further_requests_are_refused(clients: Clients, settings: Any) -> None:
    settings.API_RATE_LIMIT = 2
    answers = [clients.writer.get("key") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"2"}
    refused = answers[-1]
    assert 0 < int(refused.headers["RateLimit-Reset"]) <= 60
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]
    assert "Rate limit exceeded. Retry in" in refused.json()["detail"]


def test_each_key_has_its_own_limit_and_errors_count(clients: Clients, settings: Any) -> None:
    settings.API_RATE_LIMIT = 1
    assert clients.reader.get("nothing").status_code == 404  # an unknown URL doesn't count
    assert clients.reader.post("key").status_code == 403
    assert clients.reader.get("key").status_code == 429
    assert clients.writer.get("key").status_code == 200
    assert clients.theirs.get("key").status_code == 200
    assert clients.keyless.get("key").status_code == 401
    assert "RateLimit-Limit" not in clients.keyless.get("key").headers


def test_the_limit_resets_after_a_minute(clients: Clients, settings: Any) -> None:
    settings.API_RATE_LIMIT = 1
    assert [clients.writer.get("key").status_code for _ in range(2)] == [200, 429]
    RateWindow.objects.update(started_at=timezone.now() - dt.timedelta(seconds=60))
    assert clients.writer.get("key").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_are_all_counted(settings: Any) -> None:
    settings.API_RATE_LIMIT = 5
    clients = Clients()

    def ask(_: int) -> int:
        try:
            return int(clients.writer.get("key").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(12)))
    assert sorted(answers) == [200] * 5 + [429] * 7
