"""Empty lists say what to do next."""

import re
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


@pytest.mark.parametrize(("address", "said"), [(LIST, "Connect a number"), ("/admin/", "Connect your WhatsApp number")])
def test_without_a_number_it_says_who_can_connect_one(businesses: TwoBusinesses, address: str, said: str) -> None:
    assert said in words(businesses, "owner", address)
    page = words(businesses, "viewer", address)
    assert "Ask an owner of the business to connect one" in page
    assert said not in page
    WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="of ours")
    assert "No WhatsApp number" not in words(businesses, "viewer", address)


def test_without_conversations_it_says_when_they_appear(businesses: TwoBusinesses) -> None:
    WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="of ours")
    assert "appear here when customers message your number" in words(businesses, "viewer", LIST)
    conversation(businesses.ours, contact_name="Carla")
    assert "appear here when customers message your number" not in words(businesses, "viewer", LIST)


@pytest.mark.parametrize("query", ["?q=zebra", "?handled_by__exact=operator"])
def test_a_search_without_results_can_be_cleared(businesses: TwoBusinesses, query: str) -> None:
    conversation(businesses.ours, contact_name="Carla")
    page = words(businesses, "viewer", f"{LIST}{query}")
    assert "No results" in page
    assert re.search(r"Clear\s+(search|filters)", page)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/admin/leads/lead/", "Leads are created automatically"),
        ("/admin/whatsapp/quarantinedevent/", "Nothing in quarantine"),
        ("/admin/whatsapp/whatsappaccount/", "copy the callback URL"),
        ("/admin/webhooks/webhookdelivery/", "No webhook deliveries yet"),
    ],
)
def test_each_empty_list_says_when_rows_appear(businesses: TwoBusinesses, address: str, said: str) -> None:
    assert said in words(businesses, "owner", address)
