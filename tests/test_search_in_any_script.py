"""Search finds words in any script, and numbers as people type them. The database splits texts as Python does."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import search
from conversations.desk import notes
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, message
from leads.admin import conversations_of_leads
from leads.models import Lead
from runtime.words import MAX_CHARACTERS, fold, index_words
from tenants.tests.people import TwoBusinesses
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db
CASES = json.loads((Path(__file__).parent / "search_cases.json").read_text())
WORDS, NUMBERS = CASES["words"], CASES["numbers"]


def in_database(text: str) -> tuple[str, list[str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT search_fold(%s), tsvector_to_array(search_words(%s))", [text, text])
        found: tuple[str, list[str]] = cursor.fetchone()
        return found


def is_known(text: str) -> bool:
    """PostgreSQL may know an older or a newer Unicode than Python does; what is as old as both is the same."""
    return all(unicodedata.category(letter) not in ("Cn", "Cs") for letter in text)


# Letters of every kind that the functions treat in a way of its own, beside any others.
SCRIPTS = (
    "aZß é İıŁœ ςΣЁй اإىة١ ל़ּँन० กำ๓ ລາ ကို ខ្ម 한ㅋ 漢字かガｶﾞー々 🎂🏽🇩👨\u200d️⃣ ①½ﬁ\u0301\u0345\u00ad"
    ".,'\"\\:&|!()*·。、؟।\t\n"
)
TEXTS = st.text(st.sampled_from(SCRIPTS)) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@settings(max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(TEXTS.filter(is_known))
def test_the_database_folds_and_splits_texts_as_python_does(text: str) -> None:
    folded, words = in_database(text)
    assert folded == fold(text) == fold(folded)
    assert words == sorted(set(index_words(text)), key=lambda word: word.encode())


@pytest.mark.parametrize("case", WORDS, ids=lambda case: case["language"])
def test_the_database_agrees_on_real_texts(case: dict[str, Any]) -> None:
    folded, words = in_database(case["text"])
    assert folded == fold(case["text"])
    assert set(words) == set(index_words(case["text"]))


@pytest.mark.parametrize(
    "text",
    [
        "\ufdfa" * MAX_CHARACTERS,  # each becomes 18 characters
        "蛋" * MAX_CHARACTERS,
        "x" * 100_000,
        "🎂" * MAX_CHARACTERS,
        "e" + "\u0301\u0323" * MAX_CHARACTERS,
        "ก" + "\u0e48\u0e38" * MAX_CHARACTERS,
        " ".join(str(number) for number in range(20_000)),
    ],
)
def test_long_texts_are_stored_and_bounded(businesses: TwoBusinesses, text: str) -> None:
    stored = message(conversation(businesses.ours), text)
    folded, words = in_database(stored.text)
    assert folded == fold(text)
    assert set(words) == set(index_words(text))


@pytest.fixture
def everything(businesses: TwoBusinesses) -> dict[str, Conversation]:
    """A conversation for each text of the cases, by its text."""
    found = {}
    for number, case in enumerate(WORDS):
        found[case["text"]] = conversation(businesses.ours, f"4930{number:06}")
        message(found[case["text"]], case["text"])
    return found


@pytest.mark.parametrize("frequent", [False, True])
def test_messages_are_found_in_any_script(
    everything: dict[str, Conversation], frequent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "is_frequent", lambda *_: frequent)
    wrong = []
    for case in WORDS:
        expected = everything[case["text"]]
        for terms, is_found in ((case["finds"], True), (case["misses"], False)):
            found = {term: expected in search.find(Conversation.objects.all(), term) for term in terms}
            wrong += [f"{case['language']}: {term}" for term, was_found in found.items() if was_found != is_found]
    assert not wrong


def test_the_list_of_messages_is_searched_the_same_way(everything: dict[str, Conversation]) -> None:
    for term in ("蛋糕", "जन्मदिन", "케이크", "kasekuchen"):
        assert search.find_messages(ConversationMessage.objects.all(), term).count() == 1
    assert search.find_messages(ConversationMessage.objects.all(), "糕蛋").count() == 0


def test_a_result_shows_the_newest_message_that_was_found(businesses: TwoBusinesses) -> None:
    talk = conversation(businesses.ours)
    for text in ("Käsekuchen?", "Noch ein KÄSEKUCHEN", "Danke"):
        message(talk, text)
    (found,) = search.newest_matches([talk.pk], "kasekuchen", 50).values()
    assert (found.text, found.before) == ("Noch ein KÄSEKUCHEN", None)
    (found,) = search.newest_matches([talk.pk], "kasekuchen", 1).values()
    assert found.before == talk.messages.latest("pk").pk


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: case["country"])
def test_numbers_are_found_as_people_type_them(businesses: TwoBusinesses, case: dict[str, Any]) -> None:
    WhatsAppAccount.objects.create(
        tenant=businesses.ours,
        phone_number_id="of-ours",
        display_phone_number=f"+{case['own']}"[: 40 * bool(case["own"])],
    )
    expected = conversation(businesses.ours, case["number"])
    conversation(businesses.ours, "3725550001")
    ours = [businesses.ours.pk]
    missed = [term for term in case["typed"] if list(search.find(Conversation.objects.all(), term, ours)) != [expected]]
    assert not missed


@pytest.mark.parametrize("term", ["José", "jose nuñez", "NUNEZ", "ose", "núñ"])
def test_names_are_found_without_their_accents(businesses: TwoBusinesses, term: str) -> None:
    expected = conversation(businesses.ours, contact_name="José Núñez")
    conversation(businesses.ours, "4930", contact_name="Jonas Weber")
    assert search.find(Conversation.objects.all(), term).get() == expected


@pytest.mark.parametrize(
    ("name", "term"), [("王小明", "小明"), ("राहुल शर्मा", "शर्मा"), ("김민준", "민준"), ("Şükrü Işık", "sukru isik")]
)
def test_names_are_found_in_any_script(businesses: TwoBusinesses, name: str, term: str) -> None:
    expected = conversation(businesses.ours, contact_name=name)
    conversation(businesses.ours, "4930", contact_name="Jonas Weber")
    assert search.find(Conversation.objects.all(), term).get() == expected


@pytest.mark.parametrize("term", ["gluten", "Zöliakie", "糕点师", "कड़वा"])
def test_notes_and_leads_are_found(businesses: TwoBusinesses, term: str) -> None:
    noted, lead = conversation(businesses.ours, "4930"), conversation(businesses.ours, "4931")
    conversation(businesses.ours, "4932")
    notes.add(noted.pk, User.objects.create(username="ann"), "Gluten, ZÖLIAKIE! 她是糕点师。 कड़वा")
    Lead.objects.create(tenant=businesses.ours, conversation=lead, notes="zoliakie gluten 糕点师 कड़वा")
    assert set(search.find(Conversation.objects.all(), term)) == {noted, lead}
    page = businesses.browser("viewer").get("/admin/leads/lead/", {"q": term}).content.decode()
    assert f"/admin/leads/lead/{lead.lead.pk}/change/" in page


def test_the_search_of_leads_uses_its_index(businesses: TwoBusinesses) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        query, parameters = conversations_of_leads("gluten").query.sql_with_params()
        cursor.execute(f"EXPLAIN {query}", parameters)
        assert "lead_search" in str(cursor.fetchall())
