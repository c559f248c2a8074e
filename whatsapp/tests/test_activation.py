"""Whose number is it? An account becomes active once Meta confirms that the token owns the number and its WABA."""

import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from conversations.models import Conversation, Pause
from tenants.tests.people import TwoBusinesses
from tests.fake_network import FakeNetwork
from whatsapp import activation
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db

ADMIN = "/admin/whatsapp/whatsappaccount/"
API = "/api/admin/whatsapp-accounts"


class Meta:
    """Knows one number, one WABA and one token."""

    def __init__(self) -> None:
        self.pages: list[list[str]] = [["100100100111001"]]
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        _, _, *path = request.url.path.split("/")
        self.asked.append("/".join(path))
        await sync_to_async(self.meanwhile)()
        if request.headers["Authorization"] != "Bearer EAAG-ours":
            return httpx2.Response(401, json={"error": {"code": 190, "message": "Invalid token"}})
        if path == ["100100100111001"]:
            return httpx2.Response(
                200, json={"id": "100100100111001", "display_phone_number": "+1", "verified_name": "Ours"}
            )
        if path == ["77", "phone_numbers"]:
            page = int(dict(request.url.params).get("after", "0"))
            more = {"next": "https://…", "cursors": {"after": str(page + 1)}} if page + 1 < len(self.pages) else {}
            return httpx2.Response(200, json={"data": [{"id": n} for n in self.pages[page]], "paging": more})
        if path == ["77", "subscribed_apps"]:
            return httpx2.Response(200, json={"data": [{}]})
        return httpx2.Response(400, json={"error": {"code": 100, "message": "Unsupported get request"}})


@pytest.fixture
def meta(network: FakeNetwork) -> Meta:
    network.graph = meta = Meta()
    return meta


@pytest.fixture
def owner(businesses: TwoBusinesses, meta: Meta) -> Client:
    return businesses.browser("owner")


def api(businesses: TwoBusinesses, who: str) -> Client:
    """With an admin token from the page of the users: our tests don't import the API's."""
    data = {"action": "generate_admin_token", "_selected_action": [businesses.people[who].pk]}
    page = businesses.browser("superuser").post("/admin/auth/user/", data).content.decode()
    (token,) = re.findall(r"pra_[\w-]+", page)
    return Client(headers={"Authorization": f"Token {token}"})


def ours(businesses: TwoBusinesses, **columns: Any) -> WhatsAppAccount:
    given = {"phone_number_id": "100100100111001", "waba_id": "77", "access_token": "EAAG-ours", "is_active": False}
    return WhatsAppAccount.objects.create(tenant=businesses.ours, **{**given, **columns})


def form(businesses: TwoBusinesses, **fields: Any) -> dict[str, Any]:
    given = {
        "tenant": businesses.ours.pk,
        "phone_number_id": "100100100111001",
        "waba_id": "77",
        "access_token": "EAAG-ours",
    }
    return {**given, "is_active": "on", **fields}


def test_a_number_that_an_owner_adds_is_active_once_meta_confirms_it(
    businesses: TwoBusinesses, owner: Client, meta: Meta
) -> None:
    page = owner.post(f"{ADMIN}add/", form(businesses), follow=True).content.decode()
    assert "choose Test connection" in page
    account = WhatsAppAccount.objects.get()
    assert not account.is_active
    assert meta.asked == [], "a form never waits for Meta"
    page = owner.post(f"{ADMIN}{account.pk}/test-connection/", follow=True).content.decode()
    assert "The number belongs to the WhatsApp Business Account." in page
    assert "The account is active." in page
    assert WhatsAppAccount.objects.get().is_active
    assert meta.asked == ["100100100111001", "77/phone_numbers", "77/subscribed_apps"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"phone_number_id": "777000000000001"}, "(100): Unsupported get request."),
        ({"access_token": "EAAG-theirs"}, "(190): Invalid token."),
        ({"access_token": ""}, "No access token."),
        ({"waba_id": ""}, "No WABA ID."),
        ({"waba_id": "78"}, "The WhatsApp Business Account: Meta"),
    ],
)
def test_a_number_that_meta_does_not_confirm_stays_inactive(
    businesses: TwoBusinesses, owner: Client, columns: dict[str, str], reason: str
) -> None:
    account = ours(businesses, **columns)
    page = owner.post(f"{ADMIN}{account.pk}/test-connection/", follow=True).content.decode()
    assert reason in page
    account.refresh_from_db()
    assert not account.is_active


def test_a_number_of_another_waba_stays_inactive(businesses: TwoBusinesses, owner: Client, meta: Meta) -> None:
    meta.pages = [["100100100111002"], ["1003"]]
    account = ours(businesses)
    page = owner.post(f"{ADMIN}{account.pk}/test-connection/", follow=True).content.decode()
    assert "belong to the WhatsApp Business Account with this WABA ID" in page
    account.refresh_from_db()
    assert not account.is_active


def test_all_pages_of_a_large_waba_are_read(businesses: TwoBusinesses, owner: Client, meta: Meta) -> None:
    meta.pages = [["100100100111002"], ["1003"], ["100100100111001"]]
    account = ours(businesses)
    owner.post(f"{ADMIN}{account.pk}/test-connection/")
    account.refresh_from_db()
    assert account.is_active


def test_another_number_entered_while_meta_is_asked_is_not_activated(
    businesses: TwoBusinesses, owner: Client, meta: Meta
) -> None:
    account = ours(businesses)
    changed = WhatsAppAccount.objects.filter(pk=account.pk)
    meta.meanwhile = lambda: changed.update(phone_number_id="777000000000001")
    findings = [finding.text for finding in activation.confirm(account)]
    assert findings[-1] == "The account was changed. Test it again."
    account.refresh_from_db()
    assert (account.phone_number_id, account.is_active) == ("777000000000001", False)


@pytest.mark.parametrize("change", [{"phone_number_id": "777000000000001"}, {"waba_id": "78"}])
def test_an_active_account_with_another_number_has_to_be_confirmed_again(
    businesses: TwoBusinesses, owner: Client, change: dict[str, str]
) -> None:
    account = ours(businesses, is_active=True)
    assert owner.post(f"{ADMIN}{account.pk}/change/", form(businesses, **change)).status_code == 302
    account.refresh_from_db()
    assert not account.is_active
    WhatsAppAccount.objects.update(phone_number_id="100100100111001", waba_id="77", is_active=True)
    client = api(businesses, "owner")
    answer = client.patch(f"{API}/{account.pk}", change, content_type="application/json")
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)


def test_an_owner_can_switch_a_number_off_and_change_the_rest(businesses: TwoBusinesses, owner: Client) -> None:
    account = ours(businesses, is_active=True)
    owner.post(f"{ADMIN}{account.pk}/change/", form(businesses, display_phone_number="+1 2"))
    account.refresh_from_db()
    assert (account.display_phone_number, account.is_active) == ("+1 2", True)
    owner.post(f"{ADMIN}{account.pk}/change/", form(businesses, is_active=""))
    account.refresh_from_db()
    assert not account.is_active


def test_the_api_asks_meta_before_it_activates_an_owners_number(businesses: TwoBusinesses, meta: Meta) -> None:
    client = api(businesses, "owner")
    data = {key: value for key, value in form(businesses).items() if key != "is_active"}
    made = client.post(API, data, content_type="application/json")
    assert (made.status_code, made.json()["is_active"], meta.asked) == (201, False, [])
    url = f"{API}/{made.json()['id']}"
    refused = client.patch(url, {"is_active": True, "waba_id": "78"}, content_type="application/json")
    assert refused.status_code == 400
    assert "The WhatsApp Business Account: Meta" in refused.json()["is_active"][0]
    assert not WhatsAppAccount.objects.get().is_active
    active = client.patch(url, {"is_active": True}, content_type="application/json")
    assert (active.status_code, active.json()["is_active"]) == (200, True)
    off = client.patch(url, {"is_active": False}, content_type="application/json")
    assert off.json()["is_active"] is False


def test_a_claim_neither_blocks_the_owner_nor_reveals_the_number(businesses: TwoBusinesses, meta: Meta) -> None:
    theirs = WhatsAppAccount.objects.create(tenant=businesses.theirs, phone_number_id="100100100111001")
    client = api(businesses, "owner")
    data = form(businesses, access_token="EAAG-stolen", is_active=True)
    same = client.post(API, {**data, "is_active": False}, content_type="application/json")
    assert same.status_code == 201, "whether someone else has it is not to be seen"
    url = f"{API}/{same.json()['id']}"
    wrong = client.patch(url, {"is_active": True}, content_type="application/json").json()
    assert "(190): Invalid token." in wrong["is_active"][0]
    # Only who owns it learns that it's in use, and nobody takes it over.
    right = client.patch(url, {"is_active": True, "access_token": "EAAG-ours"}, content_type="application/json")
    assert right.json() == {"phone_number_id": [activation.TAKEN]}
    WhatsAppAccount.objects.filter(tenant=businesses.ours).update(access_token="EAAG-ours")
    page = businesses.browser("owner").post(f"{ADMIN}{url.rpartition('/')[2]}/test-connection/", follow=True)
    assert activation.TAKEN in page.content.decode()
    theirs.refresh_from_db()
    assert theirs.is_active


def test_an_inactive_account_has_no_power_over_its_number(businesses: TwoBusinesses, owner: Client) -> None:
    account = ours(businesses)
    Pause.objects.create(scope="number:100100100111001", reason="Meta refused the token")
    page = owner.get(f"{ADMIN}{account.pk}/change/").content.decode()
    assert "Meta refused the token" not in page
    owner.post(f"{ADMIN}{account.pk}/resume/")
    owner.post(f"{ADMIN}{account.pk}/change/", form(businesses, access_token="EAAG-new"))
    new = {"access_token": "EAAG-newer"}
    api(businesses, "owner").patch(f"{API}/{account.pk}", new, content_type="application/json")
    assert Pause.objects.exists()


def test_a_superuser_activates_by_hand(businesses: TwoBusinesses, meta: Meta) -> None:
    data = {"tenant": businesses.ours.pk, "phone_number_id": "100100100111001"}
    made = api(businesses, "superuser").post(API, data, content_type="application/json")
    assert (made.status_code, made.json()["is_active"]) == (201, True)
    account = ours(businesses, phone_number_id="100100100111002")
    fields = form(businesses, phone_number_id="100100100111002")
    assert businesses.browser("superuser").post(f"{ADMIN}{account.pk}/change/", fields).status_code == 302
    account.refresh_from_db()
    assert account.is_active
    assert meta.asked == []
    taken = api(businesses, "superuser").post(
        API, {"tenant": businesses.theirs.pk, "phone_number_id": "100100100111001"}, content_type="application/json"
    )
    assert taken.json() == {"phone_number_id": [activation.TAKEN]}


def test_in_development_an_owners_number_is_active_at_once(
    businesses: TwoBusinesses, meta: Meta, settings: Any
) -> None:
    """The original report's test flow: create an account, then post."""
    settings.DEBUG = settings.MULTITENANT_ENABLED = True
    settings.WHATSAPP_APP_SECRETS = []
    data = {"tenant": businesses.ours.pk, "phone_number_id": "100100100111001"}
    client = api(businesses, "owner")
    assert client.post(API, data, content_type="application/json").json()["is_active"] is True
    text = {"from": "79001234567", "type": "text", "text": {"body": "Hello"}}
    value = {"metadata": {"phone_number_id": "100100100111001"}, "messages": [text]}
    body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"value": value}]}]}
    for _ in range(2):
        assert client.post("/api/whatsapp/webhook", body, content_type="application/json").json() == {"ok": True}
    assert Conversation.objects.get().messages.count() == 2
    assert meta.asked == []


def test_viewers_do_not_see_the_installations_verify_token(businesses: TwoBusinesses) -> None:
    account = ours(businesses)
    for who, sees in (("viewer", False), ("operator", False), ("owner", True)):
        page = businesses.browser(who).get(f"{ADMIN}{account.pk}/change/").content.decode()
        assert ("parley-verify" in page) is sees, who
