"""The list of messages: searched through the word index, never counted."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations import search
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, many_messages, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
LIST = "/admin/conversations/conversationmessage/"


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    message(conversation(businesses.theirs), "Their sourdough")
    return conversation(businesses.ours)


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("sourdough", True),
        ("BREAD sour", True),  # in any order, and by prefix
        ("wamid.bread", True),
        ("zebra", False),
        ("wamid.other", False),
        ("& | !", False),
        ("'", False),
    ],
)
def test_finds_messages_by_word_and_wamid(
    businesses: TwoBusinesses, ours: Conversation, term: str, found: bool
) -> None:
    message(ours, "Our sourdough bread", external_id="wamid.bread")
    message(ours, "Good morning")
    page = businesses.browser("viewer").get(LIST, {"q": term}).content.decode()
    assert ("Our sourdough bread" in page) is found
    assert "Good morning" not in page
    assert "Their sourdough" not in page


def test_finds_the_newest_of_many(ours: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    many_messages(ours, 30)
    monkeypatch.setattr(search, "MAX_FOUND_MESSAGES", 10)
    found = search.find_messages(ConversationMessage.objects.all(), "message")
    newest = ConversationMessage.objects.filter(conversation=ours).order_by("-pk")[:10]
    assert set(found) == set(newest)


def test_the_search_uses_the_word_index(ours: Conversation) -> None:
    many_messages(ours, 2000)
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as queries:
        cursor.execute("ANALYZE conversation_messages")
        search.find_messages(ConversationMessage.objects.all(), "sourdough")
        sql = next(query["sql"] for query in queries if "OFFSET 0" in query["sql"])
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "message_search" in plan


@pytest.mark.parametrize(
    "path",
    [
        "conversations/conversation",
        "conversations/conversationmessage",
        "assistant/turn",
        "webhooks/webhookdelivery",
        "leads/lead",
        "whatsapp/quarantinedevent",
    ],
)
def test_no_list_counts_its_rows(businesses: TwoBusinesses, ours: Conversation, path: str) -> None:
    message(ours, "Hello")
    client = businesses.browser("owner")
    with CaptureQueriesContext(connection) as queries:
        page = client.get(f"/admin/{path}/")
    assert page.status_code == 200
    assert "9999999999" not in page.content.decode()
    counting = [query["sql"] for query in queries if query["sql"].upper().startswith("SELECT COUNT(*)")]
    assert not counting
