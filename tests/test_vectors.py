"""Searching by meaning: with pgvector and without it, with an embedding model and with one that fails."""

from typing import Any

import httpx2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from assistant.knowing import vectors as embedding
from assistant.models import Assistant, DailyUsage
from knowledge import vectors
from knowledge.indexing import store_chunks
from knowledge.models import Chunk, ChunkVector, Source
from tenants.models import Tenant
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

CAKE = "Torte kostet 28 Euro."
MEANINGS = {"cake": [1.0, 0.0, 0.0], "torte": [0.9, 0.1, 0.0], "bread": [0.0, 1.0, 0.0]}


def meaning(text: str, dimensions: int = 3) -> list[float]:
    """A vector that is the same for words of the same meaning."""
    known = [vector for word, vector in MEANINGS.items() if word in text.lower()]
    return ((known or [[0.0, 0.0, 1.0]])[0] + [0.1] * dimensions)[:dimensions]


def embedded(texts: list[str], dimensions: int = 3) -> httpx2.Response:
    data = [{"index": place, "embedding": meaning(text, dimensions)} for place, text in enumerate(texts)]
    return httpx2.Response(200, json={"data": data, "usage": {"prompt_tokens": 8}})


def has_pgvector() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')")
        return bool(cursor.fetchone()[0])


@pytest.fixture
def enabled(transactional_db: None) -> None:
    if not has_pgvector():
        pytest.skip("this PostgreSQL has no pgvector")
    assert vectors.enable() == ""


@pytest.fixture
def mine(stage: Stage, settings: Any) -> Assistant:
    """With an embedding model, and too much knowledge for the prompt."""
    settings.KNOWLEDGE_PROMPT_TOKENS = 0
    stage.wire.embedding = embedded
    return Assistant.objects.create(tenant=Tenant.objects.single(), api_key="k", embedding_model="small")


def know(title: str, text: str) -> Source:
    source = Source.objects.create(tenant=Tenant.objects.single(), kind=Source.Kind.TEXT, title=title, text=text)
    store_chunks(source)
    return source


def embed(stage: Stage) -> None:
    """What the worker does now and then."""
    embedding.find_missing()
    stage.work()


def ask(stage: Stage, text: str) -> str:
    """What the model is shown for it."""
    stage.converse(inbound(text_message(text)))
    return stage.wire.situations[-1]


def spaces() -> set[str]:
    return set(ChunkVector.objects.values_list("space", flat=True))


def test_a_question_in_other_words_is_found_by_its_meaning(stage: Stage, enabled: None, mine: Assistant) -> None:
    know("Preise", CAKE)
    for n in range(9):
        know(f"Brot {n}", "Das Brot ist frisch.")
    assert CAKE not in ask(stage, "How much is a cake?")
    embed(stage)
    assert ChunkVector.objects.count() == 10
    assert CAKE in ask(stage, "How much is a cake?")


def test_what_it_costs_counts_towards_the_daily_limit(stage: Stage, enabled: None, mine: Assistant) -> None:
    know("Preise", CAKE)
    embed(stage)
    assert DailyUsage.objects.get().tokens == 8


def test_a_business_over_its_limit_embeds_nothing(stage: Stage, enabled: None, mine: Assistant) -> None:
    know("Preise", CAKE)
    Assistant.objects.update(daily_token_limit=1)
    DailyUsage.objects.create(tenant=mine.tenant, day=timezone.now().date(), tokens=1)
    embed(stage)
    assert not ChunkVector.objects.exists()


def test_a_new_model_gets_vectors_of_its_own_and_old_ones_are_never_compared(
    stage: Stage, enabled: None, mine: Assistant
) -> None:
    know("Preise", CAKE)
    embed(stage)
    [before] = spaces()
    Assistant.objects.update(embedding_model="large")
    stage.wire.embedding = lambda texts: embedded(texts, dimensions=5)
    for n in range(9):
        know(f"Brot {n}", "Das Brot ist frisch.")
    assert CAKE not in ask(stage, "How much is a cake?")  # by words alone, until it's embedded again
    embed(stage)
    [after] = spaces()
    assert after != before
    assert CAKE in ask(stage, "How much is a cake?")


def test_changed_knowledge_is_embedded_again_and_deleted_knowledge_leaves_no_vectors(
    stage: Stage, enabled: None, mine: Assistant
) -> None:
    source = know("Preise", CAKE)
    embed(stage)
    source.text = "Brot kostet 5 Euro."
    store_chunks(source)
    assert not ChunkVector.objects.exists()
    embed(stage)
    assert ChunkVector.objects.count() == 1
    source.delete()
    assert not ChunkVector.objects.exists()


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(429, json={"error": {"message": "slow down"}}),
        httpx2.Response(200, content=b"<html>Bad gateway</html>"),
        httpx2.Response(200, json={"data": []}),
        httpx2.Response(200, json={"data": [{"index": 0, "embedding": [1.0, 2.0]}]}),  # of another length
        httpx2.Response(200, content=b'{"data": [{"index": 0, "embedding": [NaN, 1, 1]}]}'),
        httpx2.ReadTimeout("slow"),
    ],
    ids=["429", "html", "too few", "another length", "NaN", "timeout"],
)
def test_an_embedding_endpoint_that_fails_never_breaks_an_answer(
    stage: Stage, enabled: None, mine: Assistant, answer: httpx2.Response | Exception
) -> None:
    know("Preise", CAKE)
    embed(stage)

    def fail(texts: list[str]) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    stage.wire.embedding = fail
    assert CAKE in ask(stage, "Was kostet die Torte?")
    assert len(stage.wire.sent) == 1


def test_a_job_that_fails_is_tried_again_later_and_not_at_once(stage: Stage, enabled: None, mine: Assistant) -> None:
    know("Preise", CAKE)
    stage.wire.embedding = lambda texts: httpx2.Response(500)
    embed(stage)
    embed(stage)
    assert len(stage.wire.embedded) == 1
    assert ProcrastinateJob.objects.get().scheduled_at > timezone.now()
    assert not ChunkVector.objects.exists()


def test_without_pgvector_everything_works_by_words(
    stage: Stage, mine: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "is_enabled", lambda: False)
    know("Preise", CAKE)
    embed(stage)
    assert CAKE in ask(stage, "Was kostet die Torte?")
    assert stage.wire.embedded == []


def test_another_business_s_vectors_are_never_found(stage: Stage, enabled: None, mine: Assistant) -> None:
    know("Preise", CAKE)
    embed(stage)
    other = Tenant.objects.create(name="Other", slug="other")
    [space] = spaces()
    assert vectors.nearest(mine.tenant_id, space, MEANINGS["cake"], 5) == [Chunk.objects.get().pk]
    assert vectors.nearest(other.pk, space, MEANINGS["cake"], 5) == []
    assert vectors.nearest(mine.tenant_id, "another space", MEANINGS["cake"], 5) == []


def test_what_is_switched_off_is_not_found_by_its_meaning(stage: Stage, enabled: None, mine: Assistant) -> None:
    source = know("Preise", CAKE)
    embed(stage)
    [space] = spaces()
    Source.objects.filter(pk=source.pk).update(enabled=False)
    assert vectors.nearest(mine.tenant_id, space, MEANINGS["cake"], 5) == []


def test_vectors_are_enabled_by_a_command_where_pgvector_is_and_refused_where_it_isn_t(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vectors, "is_enabled", lambda: False)
    monkeypatch.setattr(vectors, "_AVAILABLE", "SELECT false")
    with pytest.raises(CommandError, match="no pgvector"):
        call_command("enable_vectors")
