"""Where there is nothing, the page says what to do."""

from typing import Any

import pytest

from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db
LIST = "/admin/conversations/conversation/"


@pytest.fixture
def businesses(settings: Any) -> TwoBusinesses:
    settings.MULTITENANT_ENABLED = True
    businesses = TwoBusinesses()
    WhatsAppAccount.objects.create(tenant=businesses.theirs, phone_number_id="of theirs")
    return businesses


def words(businesses: TwoBusinesses, who: str, address: str) -> str:
    return businesses.browser(who).get(address).content.decode()


@pytest.mark.parametrize("address", [LIST, "/admin/"])
def test_without_a_number_it_says_who_connects_one(businesses: TwoBusinesses, address: str) -> None:
    assert "Connect a number" in words(businesses, "owner", address)
    page = words(businesses, "viewer", address)
    assert "An owner of the business connects one" in page
    assert "Connect a number" not in page
    WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="of ours")
    assert "No WhatsApp number" not in words(businesses, "viewer", address)


def test_without_a_conversation_it_says_when_one_comes(businesses: TwoBusinesses) -> None:
    WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="of ours")
    assert "as soon as a customer writes" in words(businesses, "viewer", LIST)
    conversation(businesses.ours, contact_name="Carla")
    assert "as soon as a customer writes" not in words(businesses, "viewer", LIST)


@pytest.mark.parametrize("query", ["?q=zebra", "?handled_by__exact=operator"])
def test_a_filter_that_finds_nothing_offers_to_show_all(businesses: TwoBusinesses, query: str) -> None:
    conversation(businesses.ours, contact_name="Carla")
    page = words(businesses, "viewer", f"{LIST}{query}")
    assert "Nothing matches" in page
    assert "Show all" in page


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/admin/leads/lead/", "becomes a lead by itself"),
        ("/admin/whatsapp/quarantinedevent/", "Nothing in quarantine"),
        ("/admin/whatsapp/whatsappaccount/", "shows the callback address"),
        ("/admin/webhooks/webhookdelivery/", "No webhook deliveries yet"),
    ],
)
def test_each_list_says_when_something_comes(businesses: TwoBusinesses, address: str, said: str) -> None:
    assert said in words(businesses, "owner", address)
