"""The admin of business numbers: secrets can be set but never read; pauses are shown and can be ended."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from conversations.models import Pause
from tenants.tests.people import TwoBusinesses
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db

TOKEN = "EAAG-our-token"


@pytest.fixture
def account(businesses: TwoBusinesses) -> WhatsAppAccount:
    return WhatsAppAccount.objects.create(
        tenant=businesses.ours, phone_number_id="100100100110011", display_phone_number="+49 30 1", access_token=TOKEN
    )


def save(client: Client, account: WhatsAppAccount, **fields: str) -> int:
    data = {
        "tenant": account.tenant_id,
        "phone_number_id": account.phone_number_id,
        "display_phone_number": account.display_phone_number,
        "is_active": "on",
    }
    return client.post(_page(account), {**data, **fields}).status_code


def _page(account: WhatsAppAccount) -> str:
    return reverse("admin:whatsapp_whatsappaccount_change", args=[account.pk])


def test_keeps_the_token_when_the_input_is_empty(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    assert save(businesses.browser("owner"), account, waba_id="77") == 302
    account.refresh_from_db()
    assert (account.access_token, account.waba_id) == (TOKEN, "77")


def test_replaces_the_token_and_leaves_no_trace_of_it(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    client = businesses.browser("owner")
    save(client, account, access_token="EAAG-new-token")
    account.refresh_from_db()
    assert account.access_token == "EAAG-new-token"
    history = client.get(f"/admin/whatsapp/whatsappaccount/{account.pk}/history/").content.decode()
    assert "access token" in history.lower()
    entry = LogEntry.objects.get()
    for place in (history, entry.change_message, entry.object_repr, client.get(_page(account)).content.decode()):
        assert "EAAG" not in place


def test_removes_the_token_when_the_box_is_ticked(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    save(businesses.browser("owner"), account, **{"access_token-remove": "on"})
    account.refresh_from_db()
    assert account.access_token == ""


def test_does_not_echo_a_token_typed_into_a_form_with_a_mistake(
    businesses: TwoBusinesses, account: WhatsAppAccount
) -> None:
    response = businesses.browser("owner").post(_page(account), {"access_token": "EAAG-typed"})
    assert response.status_code == 200
    assert "EAAG" not in response.content.decode()


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_shows_the_rest_of_the_business_no_input_for_secrets(
    businesses: TwoBusinesses, account: WhatsAppAccount, who: str
) -> None:
    client = businesses.browser(who)
    page = client.get(_page(account)).content.decode()
    assert TOKEN not in page
    assert 'name="access_token"' not in page
    assert save(client, account, access_token="EAAG-theirs") == 403


def test_lookups_in_the_url_reveal_nothing_about_secrets(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    client = businesses.browser("owner")
    response = client.get("/admin/whatsapp/whatsappaccount/?access_token__startswith=EAAG")
    assert response.status_code in (302, 400)


def test_shows_the_url_and_the_token_for_meta(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    page = businesses.browser("owner").get(_page(account)).content.decode()
    assert "/api/whatsapp/webhook" in page
    assert "parley-verify" in page


def test_shows_a_pause_with_its_reason_and_resumes(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    Pause.objects.create(scope="number:100100100110011", reason="Meta refused the token")
    client = businesses.browser("owner")
    assert "Meta refused the token" in client.get(_page(account)).content.decode()
    data = {"action": "resume", "_selected_action": [account.pk]}
    client.post("/admin/whatsapp/whatsappaccount/", data)
    assert not Pause.objects.exists()


def test_a_new_token_resumes(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    Pause.objects.create(scope="number:100100100110011", reason="Meta refused the token")
    save(businesses.browser("owner"), account, display_phone_number="+49 30 2")
    assert Pause.objects.exists()
    save(businesses.browser("owner"), account, access_token="EAAG-new-token")
    assert not Pause.objects.exists()


def test_shows_a_stranger_nothing(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    client = businesses.browser("stranger")
    for page in (_page(account), "/admin/whatsapp/whatsappaccount/"):
        assert "+49 30 1" not in client.get(page, follow=True).content.decode()
    data = {"action": "resume", "_selected_action": [account.pk]}
    Pause.objects.create(scope="number:100100100110011", reason="Meta refused the token")
    client.post("/admin/whatsapp/whatsappaccount/", data)
    assert Pause.objects.exists()


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ("+1 555 010 0002", "This looks like a phone number."),
        ("4915112345678", "This looks like a phone number."),
        ("(030) 123456-78", "This looks like a phone number."),
        ("not a number", "has only digits"),
        ("1234", "has only digits"),
        ("٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣", "API Setup"),
        ("1" * 25, "has only digits"),
    ],
)
def test_what_cannot_be_a_phone_number_id_is_refused(businesses: TwoBusinesses, entered: str, words: str) -> None:
    data = {"tenant": businesses.ours.pk, "phone_number_id": entered, "access_token": TOKEN}
    page = businesses.browser("owner").post("/admin/whatsapp/whatsappaccount/add/", data).content.decode()
    assert words in page
    assert not WhatsAppAccount.objects.exists()


def test_a_number_without_a_token_is_not_active(businesses: TwoBusinesses, account: WhatsAppAccount) -> None:
    client = businesses.browser("superuser")
    save(client, account, **{"access_token-remove": "on"})
    account.refresh_from_db()
    assert not account.is_active
    assert "it has no access token" in client.get(_page(account)).content.decode()
    save(client, account, access_token=TOKEN)
    account.refresh_from_db()
    assert account.is_active


def test_an_active_number_from_before_says_that_its_token_is_missing(
    businesses: TwoBusinesses, account: WhatsAppAccount
) -> None:
    WhatsAppAccount.objects.update(access_token="")
    assert "No access token" in businesses.browser("owner").get("/admin/whatsapp/whatsappaccount/").content.decode()
