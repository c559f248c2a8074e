"""Webhooks in the admin: an owner enters a URL, sees the secret once, reads the log and sends again."""

from typing import Any

import pytest

from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from webhooks.tests.receiver import Receiver, record

LIST = "/admin/webhooks/webhookendpoint/"
LOG = "/admin/webhooks/webhookdelivery/"
URL = "https://shop.example/hook"


@pytest.fixture
def businesses(db: None) -> TwoBusinesses:
    return TwoBusinesses()


def add(businesses: TwoBusinesses, who: str, url: str = URL, **data: Any) -> Any:
    form = {"tenant": businesses.ours.pk, "url": url, "event_types": ["needs_person"], "is_active": "on", **data}
    return businesses.browser(who).post(f"{LIST}add/", form, follow=True)


def test_an_owner_enters_one_and_sees_its_secret_once(businesses: TwoBusinesses) -> None:
    page = add(businesses, "owner", event_types=["needs_person", "lead.created"])
    hook = WebhookEndpoint.objects.get()
    assert hook.secret.startswith("whsec_")
    assert hook.secret in page.content.decode()
    assert "messages" not in page.cookies
    assert hook.event_types == ["needs_person", "lead.created"]
    stored = WebhookEndpoint.objects.extra(select={"raw": "secret"}).values_list("raw", flat=True).get()
    assert hook.secret not in stored
    client = businesses.browser("owner")
    for address in (LIST, f"{LIST}{hook.pk}/change/"):
        page = client.get(address).content.decode()
        assert URL in page
        assert hook.secret not in page
    former = hook.secret
    page = client.post(LIST, {"action": "generate_secret", "_selected_action": [hook.pk]})
    hook.refresh_from_db()
    assert hook.secret not in ("", former)
    assert hook.secret in page.content.decode()
    assert "messages" not in page.cookies


@pytest.mark.parametrize("who", ["viewer", "operator", "nobody", "stranger"])
def test_no_one_else_can(businesses: TwoBusinesses, who: str) -> None:
    add(businesses, who)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"url": "http://shop.example/"}, "Only https"),
        ({"url": "https://127.0.0.1/"}, "not on the internet"),
        ({"url": "https://localhost/x"}, "not on the internet"),
        ({"url": "https://a:b@shop.example/"}, "username"),
        ({"event_types": []}, "required"),
        ({"event_types": ["everything"]}, "Select a valid choice"),
    ],
)
def test_a_mistake_is_reported_at_once(businesses: TwoBusinesses, data: dict[str, Any], words: str) -> None:
    assert words in add(businesses, "owner", **data).content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_an_empty_url_has_one_error(businesses: TwoBusinesses) -> None:
    page = add(businesses, "owner", "")
    assert page.context["adminform"].form.errors["url"] == ["This field is required."]


def test_one_that_was_switched_off_says_why_until_it_is_switched_on(businesses: TwoBusinesses) -> None:
    add(businesses, "owner")
    hook = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(is_active=False, disabled_reason="It answered 410: gone.")
    client = businesses.browser("owner")
    assert "Disabled automatically: It answered 410" in client.get(LIST).content.decode()
    form = {"tenant": businesses.ours.pk, "url": URL, "event_types": ["reply.sent"], "is_active": "on"}
    client.post(f"{LIST}{hook.pk}/change/", form)
    hook.refresh_from_db()
    assert (hook.is_active, hook.disabled_reason, hook.event_types) == (True, "", ["reply.sent"])


def test_the_log_shows_what_was_sent_and_an_owner_sends_again(stage: Stage, receiver: Receiver) -> None:
    businesses = TwoBusinesses()
    add(businesses, "owner", receiver.url)
    record(businesses.ours.pk, EventType.NEEDS_PERSON, {"reason": "The model failed."})
    stage.work()
    delivery = WebhookDelivery.objects.get()
    client = businesses.browser("viewer")
    assert "needs_person" in client.get(LOG).content.decode()
    assert "The model failed." in client.get(f"{LOG}{delivery.pk}/change/").content.decode()
    assert receiver.url not in businesses.browser("stranger").get(LOG).content.decode()
    again = {"action": "send_again", "_selected_action": [delivery.pk]}
    for who in ("viewer", "operator", "stranger"):
        businesses.browser(who).post(LOG, again)
    stage.work()
    assert len(receiver.got) == 1
    businesses.browser("owner").post(LOG, again)
    stage.work()
    assert len(receiver.got) == 2
    assert receiver.told[0] == receiver.told[1]
