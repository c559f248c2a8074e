"""Ranking rows by the words of a question, on a table of its own."""

import pytest
from django.db import connection

from runtime.idf_rank import MOST_ROWS, Corpus, Ranking, terms_of

pytestmark = pytest.mark.django_db

CORPUS = Corpus(
    "(SELECT * FROM ranked WHERE scope = %(scope)s)",
    "SELECT count(*), avg(length) FROM ranked WHERE scope = %(scope)s",
    parameters={"scope": 1},
)


@pytest.fixture(autouse=True)
def table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE ranked (id int PRIMARY KEY, scope int, words tsvector, length int) ON COMMIT DROP"
        )


def store(*texts: str, scope: int = 1, first: int = 1) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ranked VALUES (%s, %s, to_tsvector('simple', %s), %s)",
            [(pk, scope, text, len(text.split())) for pk, text in enumerate(texts, start=first)],
        )


def rank(question: str, limit: int = 10) -> Ranking:
    return CORPUS.rank(terms_of(question.split()), limit)


def best(question: str, limit: int = 10) -> list[int]:
    return [found.id for found in rank(question, limit).found]


def test_a_rare_word_counts_more_than_frequent_ones() -> None:
    store("the price of the bread", "the price of the rolls", "the rye of the field")
    assert best("the price of rye")[0] == 3


def test_a_short_row_counts_more_than_a_long_one_and_a_repeated_word_more_than_one() -> None:
    store("rye " + "and more " * 20, "rye bread bun", "rye bread rye", "nothing here")
    assert best("rye") == [3, 2, 1]


def test_rows_of_another_scope_are_never_found_and_dont_count() -> None:
    store("rye bread", "rolls")
    alone = rank("rye bread")
    store(*["rye bread"] * 50, scope=2, first=100)
    assert rank("rye bread") == alone


def test_at_most_as_many_rows_are_returned_as_asked_for_best_first() -> None:
    store(*[f"bread {'and more ' * n}" for n in range(20)])
    assert best("bread", 3) == [1, 2, 3]


def test_coverage_is_high_for_a_question_whose_words_are_known_and_zero_for_unknown_words() -> None:
    store("opening hours on monday", "rye bread with seeds", "delivery to the old town")
    assert rank("rye bread").coverage > 0.8
    assert 0 < rank("rye bicycles").coverage < 0.6
    assert rank("bicycles tyres").coverage == 0
    assert not rank("bicycles tyres").found


def test_words_that_nearly_every_row_has_dont_decide_but_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.idf_rank.MOST_ROWS", 3)
    store("rye bread", "rye rolls", "bread", "bread rolls", "bread cake", "bread tart", "bread bun")
    found = rank("rye bread").found
    assert [row.id for row in found] == [1, 2]  # only rows with the rare word
    assert found[0].score > found[1].score  # the frequent one still counts


def test_the_rarest_word_decides_even_if_many_rows_have_it() -> None:
    store(*["bread"] * 10)
    assert MOST_ROWS >= 10
    assert len(best("bread")) == 10


@pytest.mark.parametrize("question", ["", "it's", "back\\slash", "a:b", "&", "|", "!", "<->", "'", "''", "名", "😀"])
def test_any_word_can_be_asked_for(question: str) -> None:
    store("rye bread")
    assert not best(question)


def test_other_forms_of_a_word_are_found_but_count_less() -> None:
    store("we deliver bread", "delivery of bread", "the bread delivered", "a bread")
    assert best("deliver") == [1, 2, 3]
    assert best("deliver", 1) == [1]


def test_nothing_is_found_in_nothing() -> None:
    assert rank("bread").coverage == 0
