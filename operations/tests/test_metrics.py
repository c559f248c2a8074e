"""`/metrics`: what it counts, who may read it, and that scraping costs little."""

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from conversations.models import Conversation
from operations import metrics
from operations.tests.test_health import heartbeat
from tests.stage import Stage, graph_error
from whatsapp.tests.factories import inbound, text_message

TOKEN = "metrics-token-of-the-test"


@pytest.fixture(autouse=True)
def token(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(metrics, "_latest", (-metrics.CACHE_SECONDS * 1.0, b""))


def scrape() -> dict[tuple[str, ...], float]:
    """The samples, by name and labels."""
    response = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


@pytest.mark.django_db
def test_only_the_token_opens_it_and_without_one_there_is_no_page(client: Client, settings: Any) -> None:
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Bearer é"}):
        refused = client.get("/metrics", headers=header)
        assert (refused.status_code, b"parley_" in refused.content) == (401, False)
    settings.METRICS_TOKEN = ""
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        assert client.get("/metrics", headers=header).status_code == 404


def test_it_counts_turns_messages_tokens_and_what_is_held(stage: Stage, settings: Any) -> None:
    settings.RETRY_TIME_SCALE = 1
    stage.converse(inbound(text_message("Hello", sender="49151001")))
    stage.wire.graph = lambda body: graph_error(190, 401)
    stage.converse(inbound(text_message("Hello", sender="49151002")))
    found = scrape()
    assert found["parley_turns_today", "replied", "replied"] == 2
    assert found["parley_messages_today", "user", ""] == 2
    assert found["parley_messages_today", "assistant", "sent"] == 1
    assert found["parley_messages_unsent", "queued"] == found["parley_messages_held",] == 1
    assert found["parley_model_tokens_today", "prompt"] == 40
    assert found["parley_model_tokens_today", "completion"] == 10
    assert found["parley_model_answers_today",] == 2
    assert found["parley_conversations_flagged",] == Conversation.objects.exclude(needs_person="").count() == 1
    assert found["parley_queue_age_seconds", "turn"] == 0
    assert ("parley_reply_seconds", "0.95") in found


@pytest.mark.django_db
def test_it_counts_worker_processes() -> None:
    for _ in range(5):
        heartbeat(1)
    heartbeat(90)
    assert scrape()["parley_workers",] == 1


@pytest.mark.django_db
def test_it_is_read_once_however_often_it_is_scraped() -> None:
    scrape()
    with CaptureQueriesContext(connection) as queries:
        scrape()
    assert len(queries) == 0


@pytest.mark.django_db
def test_without_a_database_it_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> bytes:
        raise DatabaseError

    monkeypatch.setattr(metrics, "_read", away)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 503
