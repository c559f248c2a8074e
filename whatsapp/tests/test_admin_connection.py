"""The button "Test connection": what Meta says about a number."""

import httpx2
import pytest
from django.utils import timezone

from conversations.models import Pause
from tenants.tests.people import TwoBusinesses
from tests.fake_network import FakeNetwork
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db

TOKEN = "EAAG-token"


class Meta:
    """Meta's side: the requests it got, and its responses."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self.refuses_token = False
        self.subscribed = True

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if self.refuses_token:
            error = {"code": 190, "message": f"Error validating access token {TOKEN}: expired"}
            return httpx2.Response(401, json={"error": error})
        if request.url.path.endswith("/subscribed_apps"):
            apps = [{"whatsapp_business_api_data": {"id": "1"}}]
            return httpx2.Response(200, json={"data": apps if self.subscribed else []})
        if request.url.path.endswith("/phone_numbers"):
            return httpx2.Response(200, json={"data": [{"id": "10/01"}]})
        return httpx2.Response(200, json={"id": "10/01", "display_phone_number": "+49 30 1", "verified_name": "Bakery"})


@pytest.fixture
def meta(network: FakeNetwork) -> Meta:
    network.graph = meta = Meta()
    return meta


@pytest.fixture
def account(businesses: TwoBusinesses) -> WhatsAppAccount:
    return WhatsAppAccount.objects.create(
        tenant=businesses.ours,
        phone_number_id="10/01",
        waba_id="77",
        access_token=TOKEN,
        last_delivery_at=timezone.now(),
    )


def press(businesses: TwoBusinesses, who: str, account: WhatsAppAccount) -> str:
    address = f"/admin/whatsapp/whatsappaccount/{account.pk}/test-connection/"
    return businesses.browser(who).post(address, follow=True).content.decode()


def test_says_that_all_is_well(businesses: TwoBusinesses, account: WhatsAppAccount, meta: Meta) -> None:
    page = press(businesses, "owner", account)
    assert "The token is valid. Number: +49 30 1 (Bakery)." in page
    assert "An app is subscribed" in page
    assert "Last webhook received:" in page
    paths = [request.url.raw_path.decode().split("?")[0] for request in meta.asked]
    assert [path.split("/", 2)[2] for path in paths] == ["10%2F01", "77/phone_numbers", "77/subscribed_apps"]
    assert {request.headers["Authorization"] for request in meta.asked} == {f"Bearer {TOKEN}"}


def test_says_what_is_wrong_without_the_token(businesses: TwoBusinesses, account: WhatsAppAccount, meta: Meta) -> None:
    meta.refuses_token = True
    page = press(businesses, "owner", account)
    assert "The number: " in page
    assert "expired" in page
    assert "Save a valid permanent token" in page
    assert TOKEN not in page


def test_says_when_nothing_is_subscribed_or_stored(
    businesses: TwoBusinesses, account: WhatsAppAccount, meta: Meta
) -> None:
    meta.subscribed = False
    account.last_delivery_at = None
    account.save()
    page = press(businesses, "owner", account)
    assert "No app is subscribed" in page
    assert "see docs/connect-a-number.md" in page
    assert "No webhook received yet" in page
    account.access_token = ""
    account.save()
    assert "No access token." in press(businesses, "owner", account)


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger", "nobody"])
def test_makes_no_request_for_people_without_access(
    businesses: TwoBusinesses, account: WhatsAppAccount, meta: Meta, who: str
) -> None:
    press(businesses, who, account)
    assert not meta.asked


def test_says_that_sending_is_paused_although_the_token_is_valid(
    businesses: TwoBusinesses, account: WhatsAppAccount, meta: Meta
) -> None:
    Pause.objects.create(scope=f"number:{account.phone_number_id}", reason="The token had expired.")
    page = press(businesses, "owner", account)
    assert "The token is valid" in page
    assert "Sending is paused: The token had expired. Choose Resume sending when the cause is gone." in page
