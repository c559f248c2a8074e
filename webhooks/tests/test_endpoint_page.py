"""The page of a webhook: an owner sends a test event, sees what was answered, and sends a delivery again."""

import pytest

from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from webhooks.signature import new_secret
from webhooks.tests.receiver import Receiver, record

Status = WebhookDelivery.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(businesses: TwoBusinesses, receiver: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        tenant=businesses.ours, url=receiver.url, event_types=[EventType.NEEDS_PERSON], secret=new_secret()
    )


def page(endpoint: WebhookEndpoint, rest: str = "change/") -> str:
    return f"/admin/webhooks/webhookendpoint/{endpoint.pk}/{rest}"


def test_a_test_event_goes_to_this_url_alone_and_its_response_is_shown(
    businesses: TwoBusinesses, endpoint: WebhookEndpoint, receiver: Receiver, stage: Stage
) -> None:
    other = WebhookEndpoint.objects.create(
        tenant=businesses.ours, url=receiver.url, event_types=list(EventType), secret=new_secret()
    )
    client = businesses.browser("owner")
    client.post(page(endpoint, "test/"))
    assert "Waiting" in client.get(page(endpoint, "deliveries/")).content.decode()
    stage.work()
    assert receiver.types == ["test"]
    assert "webhook-signature" in {name.lower() for name in receiver.got[0][0]}
    shown = client.get(page(endpoint)).content.decode()
    assert "Test event" in shown
    assert "Delivered" in shown
    assert not other.deliveries.exists()


def test_a_test_event_that_fails_says_why_and_is_not_retried(
    businesses: TwoBusinesses, endpoint: WebhookEndpoint, receiver: Receiver, stage: Stage
) -> None:
    receiver.codes, receiver.body = [410], b"gone for good"
    client = businesses.browser("owner")
    client.post(page(endpoint, "test/"))
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.response_code, delivery.attempts) == (Status.FAILED, 410, 1)
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failing_since) == (True, None)  # what was tested isn't broken for that
    assert "gone for good" in client.get(page(endpoint)).content.decode()
    client.post(page(endpoint, f"deliveries/{delivery.pk}/send-again/"))
    stage.work()
    delivery.refresh_from_db()
    assert delivery.status == Status.DELIVERED
    assert receiver.told[0]["id"] == receiver.told[1]["id"]


def test_one_that_is_off_sends_nothing(businesses: TwoBusinesses, endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(is_active=False)
    shown = businesses.browser("owner").post(page(endpoint, "test/"), follow=True).content.decode()
    assert "This webhook is off." in shown
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("operator", 403), ("viewer", 403), ("stranger", 404), ("nobody", 404)])
def test_no_one_else_sends(
    businesses: TwoBusinesses, endpoint: WebhookEndpoint, receiver: Receiver, stage: Stage, who: str, status: int
) -> None:
    record(businesses.ours.pk, EventType.NEEDS_PERSON, {})
    stage.work()
    client, delivery = businesses.browser(who), WebhookDelivery.objects.get()
    assert client.post(page(endpoint, "test/")).status_code == status
    assert client.post(page(endpoint, f"deliveries/{delivery.pk}/send-again/")).status_code == status
    stage.work()
    assert len(receiver.got) == 1


def test_sending_again_stays_within_the_webhook(
    businesses: TwoBusinesses, endpoint: WebhookEndpoint, receiver: Receiver, stage: Stage
) -> None:
    record(businesses.ours.pk, EventType.NEEDS_PERSON, {})
    stage.work()
    delivery = WebhookDelivery.objects.get()
    other = WebhookEndpoint.objects.create(
        tenant=businesses.ours, url=receiver.url, event_types=[EventType.NEEDS_PERSON], secret=new_secret()
    )
    businesses.browser("owner").post(page(other, f"deliveries/{delivery.pk}/send-again/"))
    stage.work()
    assert len(receiver.got) == 1


def test_nobody_subscribes_to_test_events(businesses: TwoBusinesses) -> None:
    form = {"tenant": businesses.ours.pk, "url": "https://shop.example/", "event_types": ["test"], "is_active": "on"}
    assert (
        b"Select a valid choice"
        in businesses.browser("owner").post("/admin/webhooks/webhookendpoint/add/", form).content
    )
