"""What people read on the desk and in lists: no names of Meta's or ours, and no numbers that say nothing."""

import datetime as dt

import pytest
from django.utils import timezone

from conversations.models import Attachment, Pause
from conversations.tests.rows import conversation, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


def transcript(businesses: TwoBusinesses, pk: int, who: str = "operator") -> str:
    return businesses.browser(who).get(f"/admin/conversations/conversation/{pk}/change/").content.decode()


@pytest.mark.parametrize(
    "text",
    [
        "[location] The old harbour, Moll Vell 12 (39.5678, -2.6471)",
        "[location] The old harbour Moll Vell 12 39.5678, -2.6471",
        "[location] (39.5678, -2.6471)",
    ],
)
def test_a_location_is_a_link_to_a_map(businesses: TwoBusinesses, text: str) -> None:
    talk = conversation(businesses.ours)
    message(talk, text, kind="location")
    page = transcript(businesses, talk.pk)
    assert "https://www.openstreetmap.org/?mlat=39.5678&amp;mlon=-2.6471#map=17/39.5678/-2.6471" in page
    assert "[location]" not in page.split('id="pane"')[1]
    assert page.split('id="pane"')[1].count("Moll Vell") == text.count("Moll Vell")


def test_a_location_without_a_point_and_a_text_with_one_stay_as_they_are(businesses: TwoBusinesses) -> None:
    talk = conversation(businesses.ours)
    message(talk, "[location] Somewhere", kind="location")
    message(talk, "It is at (39.5, 2.6)")
    page = transcript(businesses, talk.pk)
    assert "openstreetmap" not in page
    assert "It is at (39.5, 2.6)" in page


@pytest.mark.parametrize(
    ("text", "caption"),
    [("[document] price.pdf: Here it is", "Here it is"), ("[document] price.pdf Here it is", "Here it is")],
)
def test_a_file_has_its_name_once(businesses: TwoBusinesses, text: str, caption: str) -> None:
    talk = conversation(businesses.ours)
    sent = message(talk, text, "assistant", kind="document")
    Attachment.objects.create(
        message=sent, kind="document", filename="price.pdf", file="price.pdf", state="ready", size=9
    )
    pane = transcript(businesses, talk.pk).split('id="pane"')[1]
    assert pane.count("price.pdf") == 1
    assert f">{caption}<" in pane


@pytest.mark.parametrize(("kind", "shown"), [("interactive", "Buttons"), ("contacts", "Contact"), ("image", "")])
def test_kinds_have_plain_names(businesses: TwoBusinesses, kind: str, shown: str) -> None:
    talk = conversation(businesses.ours)
    message(talk, "Hello", kind=kind)
    pane = transcript(businesses, talk.pk).split('id="pane"')[1]
    assert f'desk-kind">{kind}' not in pane
    assert (f'desk-kind">{shown}<' in pane) is bool(shown)


def test_a_closed_window_leads_to_the_templates_and_to_nothing_that_cannot_be_sent(businesses: TwoBusinesses) -> None:
    talk = conversation(businesses.ours, last_inbound_at=timezone.now() - dt.timedelta(hours=25))
    page = transcript(businesses, talk.pk)
    assert f'<a class="desk-button desk-primary" href="/admin/conversations/conversation/{talk.pk}/template/' in page
    assert "/compose/" not in page


def test_someone_elses_conversation_offers_only_to_take_it_over(businesses: TwoBusinesses) -> None:
    talk = conversation(businesses.ours, handled_by="operator", operator=businesses.people["owner"])
    page = transcript(businesses, talk.pk)
    assert "Take over to reply." in page
    assert "/template/" not in page
    assert "/compose/" not in page


@pytest.mark.parametrize(
    ("scope", "reason", "shown"),
    [
        ("number:123", "The token has expired.", ("Number 123", "The token has expired.")),
        ("waba:123", "Too fast.", ("WhatsApp Business Account 123", "Too fast.")),
        ("app", "Too fast.", ("The whole Meta app", "Too fast.")),
        (
            "model:https://api.example/v1:0123456789abcdef",
            "unauthorized: Wrong key: sk-…1",
            ("Model at https://api.example/v1", "Wrong key: sk-…1"),
        ),
    ],
)
def test_a_pause_says_what_is_paused_and_why(
    businesses: TwoBusinesses, scope: str, reason: str, shown: tuple[str, str]
) -> None:
    pause = Pause.objects.create(scope=scope, reason=reason)
    client = businesses.browser("superuser")
    for page in ("", f"{pause.pk}/change/", f"{pause.pk}/resume/"):
        content = client.get(f"/admin/conversations/pause/{page}").content.decode()
        assert all(each in content for each in shown), page
        assert "0123456789abcdef" not in content.split("<main")[-1], page
        assert "unauthorized:" not in content, page
