"""A mistyped word finds what was meant, and says so; no word of another business is ever offered."""

import datetime as dt

import pytest
from django.db.models import F

from conversations import vocabulary
from conversations.models import Conversation, ConversationMessage, SearchWord
from conversations.tests.rows import conversation, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
LIST = "/admin/conversations/conversation/"


def collect() -> None:
    ConversationMessage.objects.update(created_at=F("created_at") - dt.timedelta(minutes=2))
    vocabulary.sweep()


@pytest.fixture
def carla(businesses: TwoBusinesses) -> Conversation:
    found = conversation(businesses.ours, "4915112345", contact_name="Carla Gómez")
    message(found, "When is the delivery of the Käsekuchen and the bread?")
    message(conversation(businesses.ours, "4930999", contact_name="Jonas Weber"), "Good morning")
    message(conversation(businesses.theirs, "4930888"), "The saxophone and the deliverer, bred here")
    collect()
    return found


def search(businesses: TwoBusinesses, term: str, who: str = "viewer") -> str:
    return businesses.browser(who).get(LIST, {"q": term}).content.decode()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("delivrey", "delivery"),  # two changed places
        ("elivery", "delivery"),  # the first letter is missing
        ("deliveryx", "delivery"),
        ("dleivery", "delivery"),
        ("DELIVREY bread", "delivery bread"),
        ("kasekuchen", "käsekuchen"),
        ("braed", "bread"),
        ("gomez", "gómez"),  # a name
    ],
)
def test_finds_what_was_meant_and_says_so(
    carla: Conversation, businesses: TwoBusinesses, typed: str, shown: str
) -> None:
    page = search(businesses, typed)
    assert f"/conversation/{carla.pk}/change/" in page
    assert f"Nothing for “{typed}”; shown: “{shown}”." in page
    assert "Jonas" not in page


@pytest.mark.parametrize("typed", ["deliv", "Carla", "bread"])
def test_says_nothing_where_something_was_found(carla: Conversation, businesses: TwoBusinesses, typed: str) -> None:
    page = search(businesses, typed)
    assert f"/conversation/{carla.pk}/change/" in page
    assert "Nothing for" not in page


@pytest.mark.parametrize("typed", ["saxophnoe", "brd", "zzzzzz", "'delivrey", "delivrey xylophone", "49151123456789"])
def test_offers_no_word_that_the_business_never_saw(carla: Conversation, businesses: TwoBusinesses, typed: str) -> None:
    page = search(businesses, typed)
    assert "saxophone" not in page
    assert ("Nothing for" in page) == (typed == "'delivrey")


def test_each_sees_the_words_of_the_own_business(carla: Conversation, businesses: TwoBusinesses) -> None:
    assert "shown: “saxophone”" in search(businesses, "saxophnoe", "stranger")
    assert "shown: “saxophone”" in search(businesses, "saxophnoe", "superuser")
    assert "shown" not in search(businesses, "delivrey", "nobody")


def test_words_are_collected_once_and_after_the_message_settled(businesses: TwoBusinesses) -> None:
    talk = conversation(businesses.ours)
    message(talk, "first second")
    vocabulary.sweep()
    assert not SearchWord.objects.exists()
    collect()
    message(talk, "second third 12345 ab")
    collect()
    collect()
    assert sorted(SearchWord.objects.values_list("word", flat=True)) == ["first", "second", "third"]
