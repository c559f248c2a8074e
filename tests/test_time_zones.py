"""Everyone sees every time in their own zone, or else in that of the business; messages show when they were sent."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from conversations.models import ConversationMessage, DeskPreferences
from conversations.tests.rows import conversation, message
from leads.tests.test_admin import lead
from leads.tests.test_export import exported
from tenants.models import OpeningHours
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

SETTINGS = "/admin/conversations/conversation/preferences/"
INBOX = "/admin/conversations/conversation/"
AUCKLAND, HONOLULU = ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Honolulu")  # about a day apart


@pytest.fixture
def auckland(businesses: TwoBusinesses) -> TwoBusinesses:
    OpeningHours.objects.create(tenant=businesses.ours, time_zone=AUCKLAND.key)
    return businesses


def prefer(client: Client, zone: str) -> str:
    return client.post(SETTINGS, {"time_zone": zone, "enter_sends": "on"}, follow=True).content.decode()


def said_at(businesses: TwoBusinesses, at: dt.datetime) -> ConversationMessage:
    """A message that was sent then and is stored now, as after an outage."""
    talk = conversation(businesses.ours, contact_name="Carla")
    return message(talk, "Are you open?", sent_at=at)


def page(client: Client, of: ConversationMessage) -> str:
    return client.get(f"{INBOX}{of.conversation_id}/change/").content.decode()


def test_times_are_those_of_the_business_unless_someone_chooses_another_zone(auckland: TwoBusinesses) -> None:
    at = timezone.now() - dt.timedelta(hours=30)
    said = said_at(auckland, at)
    client = auckland.browser("operator")
    local = at.astimezone(AUCKLAND)
    assert f"<span>{local:%A, %-d %B %Y}</span>" in page(client, said)
    assert f">{local:%H:%M}</time>" in page(client, said)
    assert f"sent on {local:%Y-%m-%d %H:%M:%S %Z}" in page(client, said)
    assert f">{local:%-d %b}</time>" in client.get(INBOX).content.decode(), "the list shows the date, not the time"

    assert "Your settings have been saved." in prefer(client, HONOLULU.key)
    local = at.astimezone(HONOLULU)
    assert f"<span>{local:%A, %-d %B %Y}</span>" in page(client, said)
    assert f">{local:%H:%M}</time>" in page(client, said)
    assert f">{local:%-d %b}</time>" in client.get(INBOX).content.decode()
    assert DeskPreferences.objects.get().enter_sends

    prefer(client, "")
    assert f"{at.astimezone(AUCKLAND):%A, %-d %B %Y}" in page(client, said)


def test_other_people_see_their_own_time(auckland: TwoBusinesses) -> None:
    at = timezone.now() - dt.timedelta(minutes=5)
    said = said_at(auckland, at)
    prefer(auckland.browser("operator"), HONOLULU.key)
    assert f">{at.astimezone(AUCKLAND):%H:%M}</time>" in page(auckland.browser("viewer"), said)


def test_administrators_see_the_zone_that_all_businesses_have(auckland: TwoBusinesses) -> None:
    at = timezone.now() - dt.timedelta(minutes=5)
    said, client = said_at(auckland, at), auckland.browser("superuser")
    assert f"sent on {at.astimezone(AUCKLAND):%Y-%m-%d %H:%M:%S %Z}" in page(client, said)
    OpeningHours.objects.create(tenant=auckland.theirs, time_zone=HONOLULU.key)
    assert f"sent on {at:%Y-%m-%d %H:%M:%S} UTC" in page(client, said)


def test_the_list_that_is_shared_between_desks_is_not_shared_between_zones(auckland: TwoBusinesses) -> None:
    at = timezone.now() - dt.timedelta(minutes=5)
    said_at(auckland, at)
    prefer(auckland.browser("operator"), HONOLULU.key)
    for who, zone in (("owner", AUCKLAND), ("operator", HONOLULU)):
        rows = auckland.browser(who).get(f"{INBOX}live/").json()["parts"]["inbox-rows"]
        assert f'datetime="{at.astimezone(zone):%Y-%m-%dT%H:%M:%S}' in rows


def test_an_unknown_zone_is_refused(auckland: TwoBusinesses) -> None:
    assert "Mars/Olympus is not one of the available choices" in prefer(auckland.browser("operator"), "Mars/Olympus")
    assert not DeskPreferences.objects.exists()


@pytest.mark.parametrize("format", ["csv", "excel"])
def test_an_export_says_the_local_time_with_its_offset(auckland: TwoBusinesses, format: str) -> None:
    created = lead(auckland.ours, "Carla").created_at.astimezone(AUCKLAND)
    (row,) = exported(auckland, "owner", format)[1:]
    assert row[-1] == created.isoformat(" ", "seconds")


def test_the_dashboards_days_are_local(auckland: TwoBusinesses) -> None:
    said_at(auckland, timezone.now())
    today = timezone.now().astimezone(AUCKLAND)
    assert f'<span class="dash-day">{today:%-d %b}</span>' in auckland.browser("owner").get("/admin/").content.decode()
