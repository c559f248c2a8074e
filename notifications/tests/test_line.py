"""Who is told of an incident, in which order, and until when."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from notifications import audience, incidents, telling
from notifications.choices import Kind
from notifications.models import (
    NotificationDelivery,
    NotificationIncident,
    NotificationPreferences,
    NotificationRecipient,
    NotificationSettings,
)
from notifications.tests.line import happen, prefers, time_passes, told
from tenants.models import Membership, OpeningHours, Tenant
from tenants.tests.people import Role, TwoBusinesses, person

pytestmark = pytest.mark.django_db
OPERATOR, OWNER = "our-operator", "our-owner"


def line(tenant: Tenant, *names: str, **columns: int) -> NotificationSettings:
    """The business has chosen these members, in this order."""
    chosen = NotificationSettings.objects.create(tenant=tenant, **columns)
    for position, name in enumerate(names, start=1):
        member = Membership.objects.get(user__username=name, tenant=tenant)
        NotificationRecipient.objects.create(settings=chosen, membership=member, position=position)
    return chosen


def test_operators_are_told_first_and_owners_if_no_one_reacts(businesses: TwoBusinesses) -> None:
    happen(businesses.ours)
    telling.tell_due()
    assert told() == [OPERATOR]
    telling.tell_due()
    assert told() == [OPERATOR]  # the owner's time hasn't come
    time_passes()
    assert told() == [OPERATOR, OWNER]
    time_passes()
    assert told() == [OPERATOR, OWNER]
    assert NotificationIncident.objects.get().due_at is None


def test_the_next_in_line_wait_as_long_as_the_business_says(businesses: TwoBusinesses) -> None:
    line(businesses.ours, OPERATOR, OWNER, escalate_minutes=7)
    happen(businesses.ours)
    telling.tell_due()
    incident = NotificationIncident.objects.annotate(wait=F("due_at") - F("opened_at")).get()
    assert dt.timedelta(minutes=7) <= incident.wait < dt.timedelta(minutes=8)


@pytest.mark.parametrize("kinds", [[Kind.HANDOVER, Kind.FAILED], [Kind.HANDOVER]])
def test_a_reaction_stops_the_escalation(businesses: TwoBusinesses, kinds: list[Kind]) -> None:
    happen(businesses.ours)
    telling.tell_due()
    assert incidents.close(["conversation:1"], kinds) == 1
    time_passes()
    assert told() == [OPERATOR]
    assert not NotificationDelivery.objects.filter(is_open=True).exists()


def test_a_reaction_to_something_else_does_not(businesses: TwoBusinesses) -> None:
    happen(businesses.ours)
    telling.tell_due()
    assert incidents.close(["conversation:2"], [Kind.HANDOVER]) == 0
    assert incidents.close(["conversation:1"], [Kind.MESSAGE]) == 0
    time_passes()
    assert told() == [OPERATOR, OWNER]


def test_an_open_incident_is_told_once_however_often_it_happens(businesses: TwoBusinesses) -> None:
    for _ in range(3):
        happen(businesses.ours)
        telling.tell_due()
    assert told() == [OPERATOR]
    assert NotificationIncident.objects.get().count == 3
    incidents.close(["conversation:1"], [Kind.HANDOVER])
    happen(businesses.ours)
    telling.tell_due()
    assert told() == [OPERATOR, OPERATOR]


def test_a_reaction_before_anyone_was_told_keeps_everyone_from_being_told(businesses: TwoBusinesses) -> None:
    happen(businesses.ours, Kind.MESSAGE, user_id=businesses.people["operator"].pk, wait_seconds=5)
    telling.tell_due()
    assert told() == []
    incidents.close(["conversation:1"], [Kind.MESSAGE])
    time_passes()
    assert told() == []


def test_a_message_is_only_for_whoever_handles_the_conversation(businesses: TwoBusinesses) -> None:
    happen(businesses.ours, Kind.MESSAGE, user_id=businesses.people["owner"].pk)
    telling.tell_due()
    assert told() == [OWNER]


def test_an_unanswered_customer_counts_from_their_first_message(businesses: TwoBusinesses) -> None:
    line(businesses.ours, OPERATOR, unanswered_minutes=3)
    first = happen(businesses.ours, Kind.UNANSWERED)
    second = happen(businesses.ours, Kind.UNANSWERED)
    assert (second.pk, second.due_at) == (first.pk, first.due_at)
    incident = NotificationIncident.objects.annotate(wait=F("due_at") - F("opened_at")).get()
    assert incident.wait == dt.timedelta(minutes=3)


@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.BUDGET])
def test_settings_and_budgets_concern_owners(businesses: TwoBusinesses, kind: Kind) -> None:
    happen(businesses.ours, kind)
    telling.tell_due()
    time_passes()
    assert told() == [OWNER]


def test_the_business_chooses_the_line_and_of_what_each_is_told(businesses: TwoBusinesses) -> None:
    chosen = line(businesses.ours, OWNER, "our-viewer", OPERATOR)
    chosen.recipients.filter(position=3).update(kinds=[Kind.BUDGET])
    happen(businesses.ours)
    telling.tell_due()
    time_passes()
    time_passes()
    assert told() == [OWNER, "our-viewer"]


def test_everyone_is_told_at_once_of_what_does_not_escalate(businesses: TwoBusinesses) -> None:
    line(businesses.ours, OPERATOR, OWNER)
    happen(businesses.ours, Kind.BUDGET)
    telling.tell_due()
    assert told() == [OPERATOR, OWNER]


def test_who_left_is_inactive_or_works_elsewhere_is_not_told(businesses: TwoBusinesses) -> None:
    line(businesses.ours, OPERATOR, OWNER)
    Membership.objects.get(user__username=OPERATOR).delete()
    User.objects.filter(username=OWNER).update(is_active=False)
    person("new", ours=Role.OPERATOR)
    happen(businesses.ours)
    telling.tell_due()
    assert told() == ["new"]  # nobody of the chosen line is left


def test_of_a_business_that_was_switched_off_since_nobody_is_told(businesses: TwoBusinesses) -> None:
    happen(businesses.ours)
    Tenant.objects.filter(pk=businesses.ours.pk).update(is_active=False)
    telling.tell_due()
    assert told() == []


def test_an_inactive_business_is_told_nothing(businesses: TwoBusinesses) -> None:
    Tenant.objects.filter(pk=businesses.ours.pk).update(is_active=False)
    incidents.open_all([incidents.Incident(businesses.ours.pk, Kind.HANDOVER, "conversation:1", "x")])
    assert not NotificationIncident.objects.exists()


def test_without_members_superusers_are_told(businesses: TwoBusinesses) -> None:
    happen(Tenant.objects.create(name="New", slug="new"))
    telling.tell_due()
    assert told() == ["root"]


def test_each_person_chooses_the_kinds_and_who_wants_nothing_is_skipped(businesses: TwoBusinesses) -> None:
    prefers(businesses.people["operator"], page_kinds=[], push_kinds=[], email_kinds=[], digest_kinds=[])
    happen(businesses.ours)
    telling.tell_due()
    assert told() == [OWNER]


# --- quiet hours ---


def quiet_now(user: User, zone: str = "UTC", **columns: str) -> None:
    """Quiet hours from an hour ago until an hour from now, by clocks in this zone."""
    now = timezone.now().astimezone(ZoneInfo(zone))
    hour = dt.timedelta(hours=1)
    prefers(user, quiet_from=(now - hour).time(), quiet_until=(now + hour).time(), **columns)


def test_in_quiet_hours_the_next_in_line_is_told_at_once(businesses: TwoBusinesses, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.test"
    quiet_now(businesses.people["operator"])
    happen(businesses.ours)
    telling.tell_due()
    assert told() == [OPERATOR, OWNER]  # in the page, if they have it open
    quiet, loud = NotificationDelivery.objects.filter(channel="email").order_by("pk")
    assert (quiet.user.username, loud.user.username) == (OPERATOR, OWNER)
    assert quiet.next_attempt_at > timezone.now() + dt.timedelta(minutes=50)
    assert loud.next_attempt_at <= timezone.now()


@pytest.mark.parametrize("own", [True, False])
def test_quiet_hours_are_in_the_persons_time_zone_or_the_businesss(businesses: TwoBusinesses, own: bool) -> None:
    if own:
        quiet_now(businesses.people["operator"], "Asia/Tokyo", time_zone="Asia/Tokyo")
        OpeningHours.objects.create(tenant=businesses.ours, time_zone="America/Bogota")
    else:
        quiet_now(businesses.people["operator"], "America/Bogota")
        OpeningHours.objects.create(tenant=businesses.ours, time_zone="America/Bogota")
    happen(businesses.ours)
    telling.tell_due()
    assert told() == [OPERATOR, OWNER]


@pytest.mark.parametrize(
    ("start", "end", "now", "until"),
    [
        ("22:00", "07:00", "2026-07-01 23:30", "2026-07-02 07:00"),
        ("22:00", "07:00", "2026-07-01 06:59", "2026-07-01 07:00"),
        ("22:00", "07:00", "2026-07-01 07:00", None),
        ("22:00", "07:00", "2026-07-01 12:00", None),
        ("13:00", "15:00", "2026-07-01 13:00", "2026-07-01 15:00"),
        ("13:00", "15:00", "2026-07-01 15:00", None),
        ("13:00", "13:00", "2026-07-01 13:00", None),
        # The night in which clocks are put forward.
        ("22:00", "07:00", "2026-03-28 23:00", "2026-03-29 07:00"),
    ],
)
def test_when_quiet_hours_end(businesses: TwoBusinesses, start: str, end: str, now: str, until: str | None) -> None:
    zone = ZoneInfo("Europe/Berlin")
    wants = NotificationPreferences(quiet_from=dt.time.fromisoformat(start), quiet_until=dt.time.fromisoformat(end))
    recipient = audience.Recipient(businesses.people["owner"], 1, frozenset(), wants, (), zone)
    expected = dt.datetime.fromisoformat(until).replace(tzinfo=zone) if until else None
    assert recipient.quiet_until(dt.datetime.fromisoformat(now).replace(tzinfo=zone)) == expected
