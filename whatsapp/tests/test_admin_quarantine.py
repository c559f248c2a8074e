"""The quarantine shows events that could not be stored, and retries them."""

import copy
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from conversations.models import ConversationMessage
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent, WhatsAppAccount
from whatsapp.quarantine import replays
from whatsapp.webhook import ingest

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


def aside(tenant: Tenant | None, digest: str, **columns: Any) -> QuarantinedEvent:
    columns.setdefault("raw", BODY)
    return QuarantinedEvent.objects.create(
        tenant=tenant, reason="unknown number", field="messages", digest=digest, **columns
    )


def number(of: Tenant) -> WhatsAppAccount:
    return WhatsAppAccount.objects.create(tenant=of, phone_number_id="1001", access_token="t")


def retry(businesses: TwoBusinesses, who: str, *events: QuarantinedEvent, query: str = "", **data: str) -> str:
    """Select these events and retry them; the page that follows."""
    chosen = {"action": "replay", "_selected_action": [str(event.pk) for event in events], **data}
    return businesses.browser(who).post(f"{LIST}{query}", chosen, follow=True).content.decode()


def deferred() -> set[int]:
    jobs = ProcrastinateJob.objects.filter(task_name="whatsapp.tasks.replay", queue_name="maintenance", status="todo")
    return {job.args["event_id"] for job in jobs}


def test_shows_the_raw_body(businesses: TwoBusinesses) -> None:
    event = aside(businesses.ours, "1")
    page = businesses.browser("viewer").get(f"{LIST}{event.pk}/change/").content.decode()
    assert "Hello from the quarantine" in page
    assert "\n  &quot;entry&quot;: [" in page


def test_a_retry_stores_the_event_or_shows_why_not(stage: Stage) -> None:
    businesses = TwoBusinesses()
    number(businesses.ours)
    other = copy.deepcopy(BODY)
    other["entry"][0]["changes"][0]["field"] = "account_alerts"
    good, bad = aside(businesses.ours, "1"), aside(businesses.ours, "2", raw=other)
    assert "2 events are being retried" in retry(businesses, "operator", good, bad)
    stage.work()
    assert ConversationMessage.objects.get(role="user").text == "Hello from the quarantine"
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.resolved_at
    assert not bad.resolved_at
    page = businesses.browser("viewer").get(LIST).content.decode()
    assert f"Stored {good.resolved_at:%Y-%m-%d %H:%M} UTC" in page
    assert bad.error
    assert f"Failed {bad.retried_at:%Y-%m-%d %H:%M} UTC: {bad.error}" in page


@pytest.mark.parametrize("who", ["viewer", "stranger", "nobody"])
def test_others_retry_nothing(businesses: TwoBusinesses, who: str) -> None:
    retry(businesses, who, aside(businesses.ours, "1"))
    assert not deferred()


def test_keeps_events_of_no_business_for_superusers(businesses: TwoBusinesses) -> None:
    aside(None, "1")
    assert "unknown number" not in businesses.browser("owner").get(LIST).content.decode()
    assert "unknown number" in businesses.browser("superuser").get(LIST).content.decode()


def test_nobody_can_change_events(businesses: TwoBusinesses) -> None:
    event = aside(businesses.ours, "1")
    for who in ("owner", "superuser"):
        client = businesses.browser(who)
        assert client.post(f"{LIST}{event.pk}/change/", {"reason": "none"}).status_code == 403
        assert client.post(f"{LIST}{event.pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403


def test_retries_everything_the_filter_shows_and_nothing_of_another_business(businesses: TwoBusinesses) -> None:
    ours = [aside(businesses.ours, f"{n}") for n in range(3)]
    aside(businesses.theirs, "theirs")
    QuarantinedEvent.objects.filter(pk=ours[0].pk).update(field="other")
    retry(businesses, "operator", ours[1], query="?field=messages", select_across="1")
    assert deferred() == {ours[1].pk, ours[2].pk}


def test_leaves_out_what_is_stored(businesses: TwoBusinesses) -> None:
    done = aside(businesses.ours, "1", resolved_at=timezone.now())
    assert "already been stored" in retry(businesses, "operator", done)
    assert not deferred()


def test_an_unexpected_error_is_stored_on_the_event(businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch) -> None:
    event = aside(businesses.ours, "1")

    def fails(event: QuarantinedEvent) -> str:
        raise KeyError("missing")

    monkeypatch.setattr(ingest, "replay", fails)
    replays.replay(event.pk)
    event.refresh_from_db()
    assert (event.error, event.resolved_at) == ("cannot be stored: KeyError", None)


def test_a_retry_waits_until_the_database_is_available(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    businesses = TwoBusinesses()
    number(businesses.ours)
    event = aside(businesses.ours, "1")
    retry(businesses, "operator", event)
    real, failures = ingest.replay, [OperationalError("unavailable")]

    def fails_once(event: QuarantinedEvent) -> str:
        if failures:
            raise failures.pop()
        return real(event)

    monkeypatch.setattr(ingest, "replay", fails_once)
    stage.work()
    assert not ConversationMessage.objects.exists()
    ProcrastinateJob.objects.filter(task_name="whatsapp.tasks.replay").update(scheduled_at=None)
    stage.work()
    event.refresh_from_db()
    assert event.resolved_at
