"""The page for buttons, lists, location requests and links: who may send them, and what they see."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation, ConversationMessage
from conversations.outbox import contents
from conversations.outbox.contents import Button, Buttons, Content, FileLink, ListMessage, LocationRequest, Row
from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
LOCATION = {"section": "location", "text": "Where are you?"}


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


def page(of: Conversation) -> str:
    return f"/admin/conversations/conversation/{of.pk}/compose/"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (
            {"section": "buttons", "text": "Which day?", "choices": "Monday\r\n\r\n Tuesday "},
            Buttons("Which day?", (Button("Monday", "Monday"), Button("Tuesday", "Tuesday"))),
        ),
        (
            {"section": "list", "text": "Which cake?", "button": "Cakes", "choices": "Apple | with cinnamon\nPlum"},
            ListMessage("Which cake?", "Cakes", (Row("Apple", "Apple", "with cinnamon"), Row("Plum", "Plum"))),
        ),
        (LOCATION, LocationRequest("Where are you?")),
        (
            {"section": "link", "kind": "image", "link": "https://files.example/a.jpg", "caption": ""},
            FileLink("image", "https://files.example/a.jpg"),
        ),
    ],
)
def test_sending_takes_over_the_conversation(
    businesses: TwoBusinesses, ours: Conversation, form: dict[str, Any], content: Content
) -> None:
    assert businesses.browser("operator").post(page(ours), form).status_code == 302
    sent = ConversationMessage.objects.get()
    assert contents.from_json(sent.payload or {}) == content
    assert (sent.status, sent.author) == ("queued", businesses.people["operator"])
    ours.refresh_from_db()
    assert ours.handled_by == "operator"


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"section": "buttons", "text": "Which?", "choices": "a\nb\nc\nd"}, "4 buttons"),
        ({"section": "buttons", "text": "Which?", "choices": "x" * 21}, "allows 20"),
        ({"section": "list", "text": "Which?", "button": "B", "choices": "a\na"}, "are the same"),
        ({"section": "link", "kind": "image", "link": "http://files.example/"}, "https://"),
        ({"section": "link", "kind": "program", "link": "https://files.example/"}, "must be one of"),
        ({"section": "location"}, "is missing"),
    ],
)
def test_invalid_content_is_refused_and_the_form_stays_filled_in(
    businesses: TwoBusinesses, ours: Conversation, form: dict[str, str], reason: str
) -> None:
    shown = businesses.browser("operator").post(page(ours), form).content.decode()
    assert reason in shown
    assert form.get("choices", "") in shown.replace("\r", "")
    assert not ConversationMessage.objects.exists()


def test_it_refuses_when_the_window_is_closed(businesses: TwoBusinesses, ours: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    assert (
        "The 24-hour window has closed." in businesses.browser("operator").post(page(ours), LOCATION).content.decode()
    )
    assert businesses.browser("operator").post(page(ours), {"section": "poem"}).status_code == 200
    assert not ConversationMessage.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404), ("nobody", 404), ("owner", 200)])
def test_only_operators_of_the_business_may_send(
    businesses: TwoBusinesses, ours: Conversation, who: str, status: int
) -> None:
    client = businesses.browser(who)
    assert client.get(page(ours)).status_code == status
    client.post(page(ours), LOCATION)
    assert ConversationMessage.objects.count() == (1 if who == "owner" else 0)


def test_the_conversation_links_to_it(businesses: TwoBusinesses, ours: Conversation) -> None:
    desk = businesses.browser("operator").get(f"/admin/conversations/conversation/{ours.pk}/change/")
    assert page(ours) in desk.content.decode()
