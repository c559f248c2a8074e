"""The quarantine: what could not be stored is shown as it came, and can be tried again."""

import copy
from typing import Any

import pytest

from conversations.models import ConversationMessage
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from whatsapp.models import QuarantinedEvent, WhatsAppAccount

pytestmark = pytest.mark.django_db

LIST = "/admin/whatsapp/quarantinedevent/"
BODY: dict[str, Any] = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "1",
            "changes": [
                {
                    "field": "messages",
                    "value": {
                        "messaging_product": "whatsapp",
                        "metadata": {"phone_number_id": "1001", "display_phone_number": "49301"},
                        "contacts": [{"wa_id": "4915112345", "profile": {"name": "Carla"}}],
                        "messages": [
                            {
                                "from": "4915112345",
                                "id": "wamid.Q",
                                "timestamp": "1790000000",
                                "type": "text",
                                "text": {"body": "Hello from the quarantine"},
                            }
                        ],
                    },
                }
            ],
        }
    ],
}


@pytest.fixture
def businesses() -> TwoBusinesses:
    return TwoBusinesses()


def aside(tenant: Tenant | None, digest: str, **columns: Any) -> QuarantinedEvent:
    columns.setdefault("raw", BODY)
    return QuarantinedEvent.objects.create(
        tenant=tenant, reason="unknown number", field="messages", digest=digest, **columns
    )


def number(of: Tenant) -> WhatsAppAccount:
    return WhatsAppAccount.objects.create(tenant=of, phone_number_id="1001", access_token="t")


def replay(businesses: TwoBusinesses, who: str, *events: QuarantinedEvent) -> str:
    data = {"action": "replay", "_selected_action": [event.pk for event in events]}
    return businesses.browser(who).post(LIST, data, follow=True).content.decode()


def test_shows_the_raw_body(businesses: TwoBusinesses) -> None:
    event = aside(businesses.ours, "1")
    page = businesses.browser("viewer").get(f"{LIST}{event.pk}/change/").content.decode()
    assert "Hello from the quarantine" in page
    assert "\n  &quot;entry&quot;: [" in page


def test_replays_and_says_how_many_were_stored_and_how_many_not(businesses: TwoBusinesses) -> None:
    number(businesses.ours)
    other = copy.deepcopy(BODY)
    other["entry"][0]["changes"][0]["field"] = "account_alerts"
    good, bad = aside(businesses.ours, "1"), aside(businesses.ours, "2", raw=other)
    page = replay(businesses, "operator", good, bad)
    assert "1 stored." in page
    assert "1 not stored:" in page
    assert ConversationMessage.objects.get().text == "Hello from the quarantine"
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.resolved_at
    assert not bad.resolved_at


@pytest.mark.parametrize("who", ["viewer", "stranger", "nobody"])
def test_replays_nothing_for_who_may_not(businesses: TwoBusinesses, who: str) -> None:
    number(businesses.ours)
    replay(businesses, who, aside(businesses.ours, "1"))
    assert not ConversationMessage.objects.exists()


def test_keeps_events_of_no_business_for_superusers(businesses: TwoBusinesses) -> None:
    aside(None, "1")
    assert "unknown number" not in businesses.browser("owner").get(LIST).content.decode()
    assert "unknown number" in businesses.browser("superuser").get(LIST).content.decode()


def test_nobody_changes_the_evidence(businesses: TwoBusinesses) -> None:
    event = aside(businesses.ours, "1")
    for who in ("owner", "superuser"):
        client = businesses.browser(who)
        assert client.post(f"{LIST}{event.pk}/change/", {"reason": "none"}).status_code == 403
        assert client.post(f"{LIST}{event.pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403
