"""Finding a conversation in the list."""

from typing import Any

import pytest

from conversations import search
from conversations.models import Conversation
from conversations.tests.rows import conversation, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


@pytest.fixture
def carla(businesses: TwoBusinesses) -> Conversation:
    found = conversation(businesses.ours, "4915112345", contact_name="Carla Gómez")
    message(found, "Do you have sourdough bread, and Käsekuchen?")
    message(conversation(businesses.ours, "4930999", contact_name="Jonas Weber"), "Good morning")
    message(conversation(businesses.theirs, "4915112345", contact_name="Carla Theirs"), "sourdough")
    return found


@pytest.mark.parametrize(
    "term",
    [
        "Carla",
        "carl góm",
        "+49 151 12345",
        "12345",
        "sourdough",
        "BREAD sour",  # any order, beginnings of words
        "käsekuch",
    ],
)
@pytest.mark.parametrize("frequent", [False, True])
def test_finds_by_name_number_and_words(
    carla: Conversation, businesses: TwoBusinesses, term: str, frequent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FREQUENT", 1 if frequent else 5)
    page = businesses.browser("viewer").get("/admin/conversations/conversation/", {"q": term})
    body = page.content.decode()
    assert f"/conversation/{carla.pk}/change/" in body
    assert "Jonas" not in body
    assert "Carla Theirs" not in body


@pytest.mark.parametrize("term", ["zebra", "'", "& | !", "\\", "q' :* | 'x", "%", "()"])
def test_finds_nothing_without_a_match_and_accepts_any_characters(
    carla: Conversation, businesses: TwoBusinesses, term: str
) -> None:
    page = businesses.browser("viewer").get("/admin/conversations/conversation/", {"q": term})
    assert page.status_code == 200
    assert "Jonas" not in page.content.decode()


def test_counts_unread_messages_until_an_operator_opens_the_page(
    carla: Conversation, businesses: TwoBusinesses
) -> None:
    address = "/admin/conversations/conversation/"
    unread = 'title="unread">1</span>'
    operator, viewer = businesses.browser("operator"), businesses.browser("viewer")
    assert unread not in operator.get(address).content.decode()  # the assistant answers them
    Conversation.objects.filter(contact_name="Carla Gómez").update(needs_person="Asked for one")
    Conversation.objects.filter(contact_name="Jonas Weber").update(handled_by="operator")
    viewer.get(f"{address}{carla.pk}/change/")
    assert operator.get(address).content.decode().count(unread) == 2
    operator.get(f"{address}{carla.pk}/change/")
    assert operator.get(address).content.decode().count(unread) == 1
    message(carla, "Hello?")
    assert operator.get(address).content.decode().count(unread) == 2


def test_a_word_is_frequent_when_many_customers_said_it_not_when_one_did_often(
    carla: Conversation, businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(search.FREQUENT):
        message(carla, "marzipan again")
        message(conversation(businesses.ours, f"4930{number}"), "Strawberry, please")
    everyone = Conversation.objects.filter(tenant=businesses.ours)
    asked = []

    def is_frequent(*args: Any) -> bool:
        asked.append(real(*args))
        return asked[-1]

    real = search.is_frequent
    monkeypatch.setattr(search, "is_frequent", is_frequent)
    assert search.find(everyone, "marzipan").get() == carla
    assert search.find(everyone, "strawb").count() == search.FREQUENT
    assert asked == [False, True]
