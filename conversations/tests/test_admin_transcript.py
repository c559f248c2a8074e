"""The page of one conversation: what it shows, and how it pages."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.models import Conversation
from conversations.tests.open_page import OpenPage
from conversations.tests.rows import conversation, many_messages, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours, contact_name="Carla Customer")


def page_of(client: Client, of: Conversation, **query: Any) -> str:
    response = client.get(reverse("admin:conversations_conversation_change", args=[of.pk]), query)
    assert response.status_code == 200
    return response.content.decode()


def numbers_in(page: str) -> list[int]:
    transcript = page.partition('id="transcript"')[2]
    return [int(number) for number in re.findall(r"message no\. (\d+)\.", transcript)]


def test_shows_the_last_fifty_messages_oldest_first(businesses: TwoBusinesses, ours: Conversation) -> None:
    many_messages(ours, 120)
    assert numbers_in(page_of(businesses.browser("viewer"), ours)) == list(range(70, 120))


def test_pages_back_to_the_first_message_without_gaps_or_repeats(businesses: TwoBusinesses, ours: Conversation) -> None:
    many_messages(ours, 120)
    client = businesses.browser("viewer")
    seen: list[int] = []
    page = page_of(client, ours)
    while True:
        seen = numbers_in(page) + seen
        older = re.search(r"change/\?before=(\d+)", page)
        if older is None:
            break
        page = page_of(client, ours, before=older[1])
    assert seen == list(range(120))


def test_opens_a_long_conversation_with_as_many_queries_as_a_short_one(
    businesses: TwoBusinesses, ours: Conversation, django_assert_num_queries: Any
) -> None:
    long = conversation(businesses.ours, "4915199999")
    many_messages(ours, 3)
    many_messages(long, 2000)
    client = businesses.browser("operator")
    for of in (ours, long):
        page_of(client, of)  # content types are looked up once a process
        with django_assert_num_queries(23):
            page_of(client, of)


def test_says_why_a_message_was_not_sent(businesses: TwoBusinesses, ours: Conversation) -> None:
    message(ours, "Hello?", "assistant", status="failed", error_code=131047, error_detail="The window is over.")
    page = page_of(businesses.browser("viewer"), ours)
    assert "Not sent" in page
    assert "The window is over. (code 131047)" in page
    assert "Send again" not in page  # a viewer reads


def test_shows_a_reaction_on_its_message_and_marks_deleted_messages(
    businesses: TwoBusinesses, ours: Conversation
) -> None:
    message(ours, "We open at nine.", "assistant", external_id="wamid.1", edits=[{"text": "We open at ten."}])
    message(ours, "[reaction] 👍", kind="reaction", reply_to="wamid.1")
    message(ours, "", external_id="wamid.2", revoked_at=timezone.now())
    message(ours, "Which day?", reply_to="wamid.1")
    page = page_of(businesses.browser("viewer"), ours)
    assert "👍" in page
    assert "[reaction]" not in page
    assert "We open at ten." in page
    assert "This message was deleted" in page
    assert re.search(r'<blockquote dir="auto">We open at nine\.</blockquote>', page)


def test_escapes_what_a_customer_wrote(businesses: TwoBusinesses, ours: Conversation) -> None:
    message(ours, "<script>alert(1)</script>")
    page = page_of(businesses.browser("viewer"), ours)
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_live_update_is_empty_until_something_changes(businesses: TwoBusinesses, ours: Conversation) -> None:
    sent = message(ours, "On its way", "assistant", status="sent")
    client = businesses.browser("viewer")
    desk = OpenPage(client, ours)
    assert desk.poll() == {}
    sent.status = "read"
    sent.save(update_fields=["status"])
    changed = desk.poll()
    assert "desk-tick-read" in changed["newest"]
    assert "inbox-rows" not in changed
    message(ours, "Thank you")
    assert "Thank you" in desk.poll()["newest"]
    assert desk.poll() == {}


@pytest.mark.parametrize("page", ["change/", "transcript/", "live/", "history/", "delete/"])
@pytest.mark.parametrize("who", ["stranger", "nobody"])
def test_shows_a_stranger_nothing(businesses: TwoBusinesses, ours: Conversation, page: str, who: str) -> None:
    message(ours, "a secret of ours")
    response = businesses.browser(who).get(f"/admin/conversations/conversation/{ours.pk}/{page}", follow=True)
    assert "a secret of ours" not in response.content.decode()
    assert "Carla" not in response.content.decode()


def test_the_list_shows_the_last_message_and_needs_a_constant_number_of_queries(
    businesses: TwoBusinesses, ours: Conversation, django_assert_num_queries: Any
) -> None:
    message(ours, "the last words")
    conversation(businesses.theirs, contact_name="Their customer")
    client = businesses.browser("viewer")
    first = client.get("/admin/conversations/conversation/").content.decode()
    assert "the last words" in first
    assert "Their customer" not in first
    for number in range(30):
        message(conversation(businesses.ours, f"49{number}", contact_name=f"No. {number}"), "Hi")
        if number in (0, 29):
            with django_assert_num_queries(14):
                client.get("/admin/conversations/conversation/")
