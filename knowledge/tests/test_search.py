"""Searching what a business knows: for itself alone, in any script, with follow-ups, and noticing what isn't known."""

import contextlib
import datetime as dt

import pytest
from django.db import connection
from django.utils import timezone

from knowledge import indexing, search
from knowledge.indexing import store_chunks
from knowledge.models import FrequentTerm, Source
from knowledge.search import Results
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

BAKERY = {
    "Delivery": "We deliver to the old town from Monday to Saturday. Delivery costs 4 euros.",
    "Carrot cake": "The carrot cake costs 28 euros. It is enough for eight people.",
    "Rye bread": "The rye bread costs 5 euros. It is baked every morning.",
    "Opening hours": "The shop is open from seven in the morning to six in the evening.",
    "Vouchers": "Vouchers are valid for two years and can be used in the shop.",
    "Allergens": "Everything may contain traces of nuts, milk and eggs.",
    "Orders": "A cake must be ordered two days before. Orders can be changed until noon of the day before.",
}


def know(tenant: Tenant, texts: dict[str, str], **columns: object) -> list[Source]:
    sources = [
        Source.objects.create(tenant=tenant, kind=Source.Kind.TEXT, title=title, text=text, **columns)
        for title, text in texts.items()
    ]
    for source in sources:
        store_chunks(source)
    return sources


def names(results: Results) -> list[str]:
    return [passage.name for passage in results.passages]


def test_the_passage_with_the_question_s_rare_words_comes_first(businesses: TwoBusinesses) -> None:
    know(businesses.ours, BAKERY)
    assert names(search.find(businesses.ours.pk, "How much is the carrot cake?"))[0] == "Carrot cake"
    assert names(search.find(businesses.ours.pk, "when is the shop OPEN"))[0] == "Opening hours"


def test_at_most_five_passages_are_found(businesses: TwoBusinesses) -> None:
    know(businesses.ours, {f"Cake {n}": "A cake" for n in range(9)})
    assert len(search.find(businesses.ours.pk, "cake").passages) == 5


def test_another_business_s_knowledge_is_never_found(businesses: TwoBusinesses) -> None:
    know(businesses.theirs, BAKERY)
    assert search.find(businesses.ours.pk, "How much is the carrot cake?") == Results([], False)
    assert search.everything(businesses.ours.pk) == []


def test_what_is_off_or_has_expired_is_not_found(businesses: TwoBusinesses) -> None:
    know(businesses.ours, {"Old prices": "The carrot cake costs 24"}, enabled=False)
    know(businesses.ours, {"Summer": "The carrot cake costs 20"}, expires_at=timezone.now() - dt.timedelta(days=1))
    know(businesses.ours, {"Autumn": "The carrot cake costs 28"}, expires_at=timezone.now() + dt.timedelta(days=1))
    assert names(search.find(businesses.ours.pk, "carrot cake")) == ["Autumn"]
    assert [passage.name for passage in search.everything(businesses.ours.pk)] == ["Autumn"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("¿Cuánto cuesta el café?", "Precios: el CAFE cuesta 3 euros"),
        ("क्या आप केक बनाते हैं", "हम केक बनाते हैं"),
        ("蛋糕多少钱", "我们的蛋糕三十元"),
        ("ケーキはいくらですか", "ケーキは三千円です"),
        ("ราคาเค้ก", "เค้กราคา 300 บาท"),
        ("케이크 가격", "케이크는 삼만원입니다"),
        ("كم سعر الكعكة", "سعر الكَعْكة ثلاثون"),
    ],
)
def test_questions_are_answered_in_any_script(businesses: TwoBusinesses, question: str, found: str) -> None:
    know(businesses.ours, {"": found, "Other": "Something else entirely"})
    assert search.find(businesses.ours.pk, question).passages[0].text == found


def test_a_follow_up_is_searched_with_the_message_before_it(businesses: TwoBusinesses) -> None:
    know(businesses.ours, BAKERY)
    alone = search.find(businesses.ours.pk, "Tomorrow?")
    both = search.find(businesses.ours.pk, "Tomorrow?", "Can the carrot cake be ordered?")
    assert not alone.is_known
    assert both.is_known
    assert names(both)[0] in ("Carrot cake", "Orders")


def test_a_clear_question_isn_t_confused_by_the_message_before_it(businesses: TwoBusinesses) -> None:
    know(businesses.ours, BAKERY)
    found = search.find(businesses.ours.pk, "Are vouchers valid in the shop?", "How much is the carrot cake?")
    assert names(found)[0] == "Vouchers"
    assert found.is_known


def test_it_knows_what_is_not_known(businesses: TwoBusinesses) -> None:
    know(businesses.ours, BAKERY)
    assert search.find(businesses.ours.pk, "Is rye bread baked every morning?").is_known
    for question in ("Do you repair bicycles?", "Hello!", "", "Wann fährt der nächste Zug nach Hamburg?", "🙂"):
        assert not search.find(businesses.ours.pk, question).is_known, question


def test_headings_are_part_of_a_passage_s_name(businesses: TwoBusinesses) -> None:
    know(businesses.ours, {"Menu": "# Cakes\n## Carrot\n28 euros"})
    assert names(search.find(businesses.ours.pk, "carrot")) == ["Menu > Cakes > Carrot"]


def test_rankings_are_fused_by_their_places() -> None:
    assert search.fused([[1, 2, 3], [3, 1]]) == [1, 3, 2]
    assert search.fused([[], [7]]) == [7]
    assert search.fused([]) == []


def test_frequent_words_of_large_knowledge_are_counted_once_and_change_no_result(
    businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(businesses.ours, BAKERY)
    know(businesses.theirs, {"Cake": "The cake"})
    question = "How much is the carrot cake in the shop?"
    before = search.rank(search.corpus(businesses.ours.pk), businesses.ours.pk, question)
    assert indexing.count_frequent_terms() == 0, "there's too little knowledge"
    monkeypatch.setattr(indexing, "LARGE", 5)
    other = connection.copy()
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('frequent terms'), %s)", [businesses.ours.pk])
        assert indexing.count_frequent_terms() == 0, "another worker is counting"
    assert indexing.count_frequent_terms() == 1
    assert indexing.count_frequent_terms() == 0, "nothing has changed"
    counted = dict(FrequentTerm.objects.filter(tenant=businesses.ours).values_list("term", "chunks"))
    pk = businesses.ours.pk
    assert (counted[""], counted[f"'{pk}:the'"], counted[f"'{pk}:cake':*"]) == (7, 6, 2)
    assert search.rank(search.corpus(pk), pk, question) == before
    know(businesses.ours, {"More": "The cake"})
    assert indexing.count_frequent_terms() == 1
