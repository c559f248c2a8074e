"""The buttons of a conversation: what they do, and who may use them."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, message
from tenants.tests.people import Role, TwoBusinesses, browser_of, person

pytestmark = pytest.mark.django_db

BUTTONS = ["take-over", "hand-back", "reply", "note", "clear-needs-person"]


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours, contact_name="Carla", needs_person="Asked for one")


def press(client: Client, of: Conversation, button: str, **data: str) -> int:
    return client.post(f"/admin/conversations/conversation/{of.pk}/{button}/", data).status_code


def test_takes_over_and_hands_back(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    assert press(client, ours, "take-over") == 302
    ours.refresh_from_db()
    assert (ours.handled_by, ours.operator) == ("operator", businesses.people["operator"])
    press(client, ours, "hand-back")
    ours.refresh_from_db()
    assert (ours.handled_by, ours.operator) == ("assistant", None)


def test_sending_a_reply_takes_over_the_conversation(businesses: TwoBusinesses, ours: Conversation) -> None:
    press(businesses.browser("operator"), ours, "reply", text="I am a person.")
    reply = ConversationMessage.objects.get(conversation=ours)
    assert (reply.text, reply.origin, reply.status) == ("I am a person.", "operator", "queued")
    assert reply.author == businesses.people["operator"]
    ours.refresh_from_db()
    assert ours.handled_by == "operator"


def test_someone_else_sees_who_handles_the_conversation(businesses: TwoBusinesses, ours: Conversation) -> None:
    press(businesses.browser("operator"), ours, "take-over")
    second = browser_of(person("second", ours=Role.OPERATOR))
    address = f"/admin/conversations/conversation/{ours.pk}/reply/"
    response = second.post(address, {"text": "Me too"}, follow=True)
    assert "Not sent. our-operator is handling this conversation. Take over to reply." in response.content.decode()
    assert not ConversationMessage.objects.exists()


def test_refuses_a_reply_when_the_window_is_closed(businesses: TwoBusinesses, ours: Conversation) -> None:
    ours.last_inbound_at = timezone.now() - dt.timedelta(hours=25)
    ours.save()
    client = businesses.browser("operator")
    page = client.get(f"/admin/conversations/conversation/{ours.pk}/change/").content.decode()
    assert "The 24-hour window has closed." in page
    assert 'id="reply-text"' not in page
    press(client, ours, "reply", text="Too late")
    assert not ConversationMessage.objects.exists()


def test_refuses_an_empty_reply(businesses: TwoBusinesses, ours: Conversation) -> None:
    assert press(businesses.browser("operator"), ours, "reply", text="  \n ") == 302
    assert not ConversationMessage.objects.exists()


def test_sends_a_failed_message_again(businesses: TwoBusinesses, ours: Conversation) -> None:
    failed = message(ours, "Hello", "assistant", status="failed")
    press(businesses.browser("operator"), ours, f"messages/{failed.pk}/send-again")
    failed.refresh_from_db()
    assert failed.status == "queued"


def test_settles_an_uncertain_message(businesses: TwoBusinesses, ours: Conversation) -> None:
    uncertain = message(ours, "Hello", "assistant", status="uncertain")
    press(businesses.browser("operator"), ours, f"messages/{uncertain.pk}/delivered")
    uncertain.refresh_from_db()
    assert uncertain.status == "delivered"


def test_clears_the_flag(businesses: TwoBusinesses, ours: Conversation) -> None:
    press(businesses.browser("operator"), ours, "clear-needs-person")
    ours.refresh_from_db()
    assert ours.needs_person == ""


def test_without_a_script_a_button_keeps_the_filters(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    query = "?q=Carla&tab=needs"
    page = client.get(f"/admin/conversations/conversation/{ours.pk}/change/{query}").content.decode()
    escaped = query.replace("&", "&amp;")
    for button in BUTTONS:
        if button != "hand-back":
            assert f'action="/admin/conversations/conversation/{ours.pk}/{button}/{escaped}"' in page
    response = client.post(f"/admin/conversations/conversation/{ours.pk}/note/{query}", {"text": "Hm"})
    assert response["Location"] == f"/admin/conversations/conversation/{ours.pk}/change/{query}"


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize(("who", "answer"), [("viewer", 403), ("stranger", 404), ("nobody", 404)])
def test_refuses_every_button(
    businesses: TwoBusinesses, ours: Conversation, button: str, who: str, answer: int
) -> None:
    assert press(businesses.browser(who), ours, button, text="Let me in") == answer
    ours.refresh_from_db()
    assert (ours.handled_by, ours.needs_person) == ("assistant", "Asked for one")
    assert not ConversationMessage.objects.exists()


@pytest.mark.parametrize("button", BUTTONS)
def test_requires_post(businesses: TwoBusinesses, ours: Conversation, button: str) -> None:
    client = businesses.browser("operator")
    assert client.get(f"/admin/conversations/conversation/{ours.pk}/{button}/").status_code == 405


@pytest.mark.parametrize("button", BUTTONS)
def test_requires_the_csrf_token(businesses: TwoBusinesses, ours: Conversation, button: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(businesses.people["operator"])
    assert press(client, ours, button) == 403


def test_refuses_messages_of_other_conversations(businesses: TwoBusinesses, ours: Conversation) -> None:
    theirs = message(conversation(businesses.theirs), "Hi", "assistant", status="failed")
    client = businesses.browser("operator")
    assert press(client, ours, f"messages/{theirs.pk}/send-again") == 404
    theirs.refresh_from_db()
    assert theirs.status == "failed"
