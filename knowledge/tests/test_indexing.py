"""Chunks in the database: replaced as a whole, found by their words, and bounded."""

from typing import Any

import pytest
from django.db import connection

from knowledge.indexing import TooMuch, lexeme, meter, store_chunks
from knowledge.models import Source
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


def text(tenant: Tenant, words: str, title: str = "") -> Source:
    source = Source.objects.create(tenant=tenant, kind=Source.Kind.TEXT, title=title, text=words)
    store_chunks(source)
    return source


def found(tenant: Tenant, word: str) -> list[str]:
    with connection.cursor() as cursor:
        query = [f"'{lexeme(tenant.pk, word)}'"]
        cursor.execute("SELECT text FROM knowledge_chunks WHERE words @@ %s::tsquery ORDER BY id", query)
        return [text for (text,) in cursor.fetchall()]


@pytest.mark.parametrize("word", ["apple", "prices", "menu", "24", "creme", "蛋糕"])
def test_a_chunk_is_found_by_its_title_headings_and_text(businesses: TwoBusinesses, word: str) -> None:
    text(businesses.ours, "# Prices\nApple, crème: 24.00, its\\ 'new' 蛋糕很好", "Menu")
    assert len(found(businesses.ours, word)) == 1


def test_only_the_business_itself_finds_its_words(businesses: TwoBusinesses) -> None:
    text(businesses.theirs, "Apple")
    assert found(businesses.ours, "apple") == []
    assert found(businesses.theirs, "apple") == ["Apple"]


def test_words_keep_their_positions(businesses: TwoBusinesses) -> None:
    source = text(businesses.ours, "cake and cake", "Cake")
    with connection.cursor() as cursor:
        cursor.execute("SELECT words::text, length FROM knowledge_chunks WHERE source_id = %s", [source.pk])
        stored = cursor.fetchone()
    pk = businesses.ours.pk
    assert stored == (f"'{pk}:and':3 '{pk}:cake':1,2,4", 4)


def test_new_chunks_replace_the_old_ones(businesses: TwoBusinesses) -> None:
    source = text(businesses.ours, "Apple\n\n# More\nCherry")
    source.text = "Plum"
    store_chunks(source)
    assert list(source.chunks.values_list("text", flat=True)) == ["Plum"]


def test_a_question_is_one_chunk(businesses: TwoBusinesses) -> None:
    source = Source(
        tenant=businesses.ours, kind=Source.Kind.QUESTION, title="Open?", text="# Yes\n\n" + "We are. " * 400
    )
    source.save()
    store_chunks(source)
    assert source.chunks.count() == 1


def test_too_many_chunks_are_refused_and_the_old_ones_stay(businesses: TwoBusinesses, settings: Any) -> None:
    source = text(businesses.ours, "Apple")
    text(businesses.theirs, "# A\na\n# B\nb")
    settings.KNOWLEDGE_MAX_CHUNKS = 2
    source.text = "# A\na\n# B\nb\n# C\nc"
    with pytest.raises(TooMuch, match="the limit of 2 chunks"):
        store_chunks(source)
    assert list(source.chunks.values_list("text", flat=True)) == ["Apple"]


def test_counts_the_tokens_of_what_is_in_use(businesses: TwoBusinesses) -> None:
    text(businesses.ours, "x" * 400)
    off = text(businesses.ours, "y" * 400)
    text(businesses.theirs, "z" * 400)
    assert meter(businesses.ours.pk).tokens == 202
    off.enabled = False
    off.save()
    assert meter(businesses.ours.pk).tokens == 101
