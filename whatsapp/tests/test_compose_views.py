"""The page for buttons, lists, the wish for a place and links: for those who may write, within WhatsApp's limits."""

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
PLACE = {"what": "location", "text": "Where are you?"}


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


def page(of: Conversation) -> str:
    return f"/admin/whatsapp/whatsappaccount/compose/{of.pk}/"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        (
            {"what": "buttons", "text": "Which day?", "choices": "Monday\r\n\r\n Tuesday "},
            Buttons("Which day?", (Button("Monday", "Monday"), Button("Tuesday", "Tuesday"))),
        ),
        (
            {"what": "list", "text": "Which cake?", "button": "Cakes", "choices": "Apple | with cinnamon\nPlum"},
            ListMessage("Which cake?", "Cakes", (Row("Apple", "Apple", "with cinnamon"), Row("Plum", "Plum"))),
        ),
        (PLACE, LocationRequest("Where are you?")),
        (
            {"what": "link", "kind": "image", "link": "https://files.example/a.jpg", "caption": ""},
            FileLink("image", "https://files.example/a.jpg"),
        ),
    ],
)
def test_it_sends_each_and_takes_the_conversation_over(
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
        ({"what": "buttons", "text": "Which?", "choices": "a\nb\nc\nd"}, "4 buttons"),
        ({"what": "buttons", "text": "Which?", "choices": "x" * 21}, "takes 20"),
        ({"what": "list", "text": "Which?", "button": "B", "choices": "a\na"}, "are the same"),
        ({"what": "link", "kind": "image", "link": "http://files.example/"}, "https://"),
        ({"what": "link", "kind": "program", "link": "https://files.example/"}, "A file is one of"),
        ({"what": "location"}, "is missing"),
    ],
)
def test_it_says_what_whatsapp_would_not_take_and_keeps_what_was_written(
    businesses: TwoBusinesses, ours: Conversation, form: dict[str, str], reason: str
) -> None:
    shown = businesses.browser("operator").post(page(ours), form).content.decode()
    assert reason in shown
    assert form.get("choices", "") in shown.replace("\r", "")
    assert not ConversationMessage.objects.exists()


def test_it_sends_nothing_when_the_window_is_closed(businesses: TwoBusinesses, ours: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    assert "24 hours" in businesses.browser("operator").post(page(ours), PLACE).content.decode()
    assert businesses.browser("operator").post(page(ours), {"what": "poem"}).status_code == 200
    assert not ConversationMessage.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404), ("nobody", 404), ("owner", 200)])
def test_only_those_who_may_write_there(businesses: TwoBusinesses, ours: Conversation, who: str, status: int) -> None:
    client = businesses.browser(who)
    assert client.get(page(ours)).status_code == status
    client.post(page(ours), PLACE)
    assert ConversationMessage.objects.count() == (1 if who == "owner" else 0)


def test_the_desk_leads_to_it(businesses: TwoBusinesses, ours: Conversation) -> None:
    desk = businesses.browser("operator").get(f"/admin/conversations/conversation/{ours.pk}/change/")
    assert page(ours) in desk.content.decode()
