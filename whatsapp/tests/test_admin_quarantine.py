"""The quarantine shows events that couldn't be stored, as they were received, and can retry them."""

import copy
from typing import Any

import pytest
from django.db import OperationalError
from procrastinate.contrib.django.models import ProcrastinateJob

from conversations.models import ConversationMessage
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent, Replay, ReplayedEvent, WhatsAppAccount
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


def select(businesses: TwoBusinesses, who: str, *events: QuarantinedEvent, **data: str) -> str:
    chosen = {"action": "replay", "_selected_action": [str(event.pk) for event in events], **data}
    return businesses.browser(who).post(LIST, chosen, follow=True).content.decode()


def replay(businesses: TwoBusinesses, who: str, *events: QuarantinedEvent, **data: str) -> str:
    """Select, confirm, let the worker do it; the page afterwards."""
    select(businesses, who, *events, confirmed="yes", **data)
    started = Replay.objects.last()
    if started is None:
        return ""
    while replays.go_on(started.pk):
        pass
    return page_of(businesses, who, started)


def page_of(businesses: TwoBusinesses, who: str, of: Replay) -> str:
    return businesses.browser(who).get(f"{LIST}replays/{of.pk}/").content.decode()


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
    assert "Retried all 2 events" in page
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


def test_asks_before_it_starts(businesses: TwoBusinesses) -> None:
    page = select(businesses, "operator", aside(businesses.ours, "1"), aside(businesses.ours, "2"))
    assert "Retry 2 quarantined events?" in page
    assert "unknown number" in page
    assert not Replay.objects.exists()


def test_takes_all_that_the_filter_lets_through_and_none_of_another_business(businesses: TwoBusinesses) -> None:
    ours = [aside(businesses.ours, f"{n}") for n in range(3)]
    aside(businesses.theirs, "theirs")
    QuarantinedEvent.objects.filter(pk=ours[0].pk).update(field="other")
    address = f"{LIST}?field=messages"
    data = {"action": "replay", "_selected_action": [str(ours[1].pk)], "select_across": "1", "confirmed": "yes"}
    businesses.browser("operator").post(address, data)
    assert set(ReplayedEvent.objects.values_list("event_id", flat=True)) == {ours[1].pk, ours[2].pk}


def test_leaves_out_what_is_resolved(businesses: TwoBusinesses) -> None:
    number(businesses.ours)
    done = aside(businesses.ours, "1")
    replay(businesses, "operator", done)
    assert "already resolved" in select(businesses, "operator", done)
    assert Replay.objects.count() == 1


def test_the_page_is_for_those_who_see_the_pieces(businesses: TwoBusinesses) -> None:
    select(businesses, "operator", aside(businesses.ours, "1"), confirmed="yes")
    started = Replay.objects.get()
    assert "Retried 0 of 1 events" in page_of(businesses, "viewer", started)
    assert "every 2s" in page_of(businesses, "viewer", started)
    assert businesses.browser("stranger").get(f"{LIST}replays/{started.pk}/").status_code == 404


def test_goes_on_where_a_crash_ended_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies after it stored the second piece, before it entered it."""
    businesses = TwoBusinesses()
    number(businesses.ours)
    events = []
    for n in range(4):
        body = copy.deepcopy(BODY)
        body["entry"][0]["changes"][0]["value"]["messages"][0]["id"] = f"wamid.{n}"
        events.append(aside(businesses.ours, f"{n}", raw=body))
    select(businesses, "operator", *events, confirmed="yes")
    real, seen = ingest.replay, []

    def dies(event: QuarantinedEvent) -> str:
        refusal = real(event)
        seen.append(event.pk)
        if len(seen) == 2:
            QuarantinedEvent.objects.filter(pk=event.pk).update(resolved_at=None)
            raise OperationalError("the database is away")
        return refusal

    monkeypatch.setattr(ingest, "replay", dies)
    stage.work()
    assert ReplayedEvent.objects.filter(done_at__isnull=False).count() == 1
    ProcrastinateJob.objects.filter(task_name="whatsapp.tasks.replay").update(scheduled_at=None)
    stage.work()
    assert "4 stored." in page_of(businesses, "operator", Replay.objects.get())
    assert ConversationMessage.objects.filter(role="user").count() == 4
    assert seen == [events[0].pk, events[1].pk, events[1].pk, events[2].pk, events[3].pk]
