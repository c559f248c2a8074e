"""Time zones and opening hours."""

import datetime as dt
import zoneinfo

import pytest
from django.core.exceptions import ValidationError

from tenants.hours import Hours, OpeningHours, holidays, spans
from tenants.tests.people import TwoBusinesses

MADRID = zoneinfo.ZoneInfo("Europe/Madrid")
WEEK = {
    "monday": "09:00-13:00, 15:00-18:30",
    "tuesday": "09:00-18:00",
    "wednesday": "09:00-18:00",
    "thursday": "09:00-18:00",
    "friday": "18:00-24:00",
    "saturday": "00:00-02:00",
}


def hours(**columns: str) -> Hours:
    return OpeningHours(time_zone="Europe/Madrid", **{**WEEK, **columns}).hours


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=MADRID)


@pytest.mark.parametrize(
    ("time", "is_open"),
    [
        ("2026-11-23 08:59", False),
        ("2026-11-23 09:00", True),
        ("2026-11-23 12:59", True),
        ("2026-11-23 13:00", False),
        ("2026-11-23 15:00", True),
        ("2026-11-23 18:30", False),
        ("2026-11-27 23:59", True),
        ("2026-11-28 01:59", True),
        ("2026-11-28 02:00", False),
        ("2026-11-29 12:00", False),
    ],
)
def test_is_open_within_its_hours(time: str, is_open: bool) -> None:
    assert hours().is_open(at(time)) is is_open


def test_says_when_it_closes_and_opens() -> None:
    assert hours().closes_at(at("2026-11-27 20:00")) == at("2026-11-28 02:00")  # over midnight
    assert hours().opens_at(at("2026-11-28 03:00")) == at("2026-11-30 09:00")
    assert hours().opens_at(at("2026-11-23 13:30")) == at("2026-11-23 15:00")
    assert hours().closed_since(at("2026-11-29 12:00")) == at("2026-11-28 02:00")


def test_a_holiday_has_hours_of_its_own_or_none() -> None:
    special = hours(holidays="2026-11-24\n2026-11-25 10:00-11:00")
    assert not special.is_open(at("2026-11-24 12:00"))
    assert special.opens_at(at("2026-11-24 12:00")) == at("2026-11-25 10:00")
    assert special.closes_at(at("2026-11-25 10:30")) == at("2026-11-25 11:00")


def test_times_are_local_when_the_clocks_change() -> None:
    """On 2026-10-25 the clocks go back in Madrid."""
    sunday = hours(sunday="09:00-18:00")
    opens = sunday.opens_at(dt.datetime(2026, 10, 24, 23, 0, tzinfo=dt.UTC))
    assert opens == dt.datetime(2026, 10, 25, 8, 0, tzinfo=dt.UTC)
    assert sunday.opens_at(dt.datetime(2026, 7, 5, 4, 0, tzinfo=dt.UTC)) == dt.datetime(2026, 7, 5, 7, 0, tzinfo=dt.UTC)


def test_describes_the_time_in_words() -> None:
    assert hours().describe(at("2026-11-23 10:00")) == (
        "Monday, 2026-11-23, 10:00 (CET). The business is open until 13:00."
    )
    assert hours().describe(at("2026-11-29 10:00")) == (
        "Sunday, 2026-11-29, 10:00 (CET). The business is closed and opens on Monday, 2026-11-30, at 09:00."
    )


def test_without_hours_it_is_always_open() -> None:
    always = OpeningHours(time_zone="Asia/Kolkata").hours
    assert always.is_open(at("2026-11-23 03:00"))
    assert always.describe(dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)) == "Monday, 2026-11-23, 15:30 (IST)."


@pytest.mark.parametrize("text", ["9-18", "18:00-09:00", "09:00-25:00", "09:60-10:00", "10:00-12:00, 11:00-13:00", "x"])
def test_refuses_what_is_not_a_span(text: str) -> None:
    with pytest.raises(ValidationError):
        spans(text)


@pytest.mark.parametrize("text", ["2026-13-01", "Christmas", "2026-12-24 noon"])
def test_refuses_what_is_not_a_holiday(text: str) -> None:
    with pytest.raises(ValidationError):
        holidays(text)


@pytest.mark.django_db
def test_owners_set_the_hours_of_their_business(businesses: TwoBusinesses) -> None:
    def save(who: str, **columns: str) -> int:
        form = {"tenant": str(businesses.ours.pk), "time_zone": "Europe/Madrid", "monday": "09:00-18:00", **columns}
        return businesses.browser(who).post("/admin/tenants/openinghours/add/", form).status_code

    assert save("operator") == 403
    assert save("owner", time_zone="Mars/Olympus") == 200
    assert save("owner", monday="early") == 200
    assert not OpeningHours.objects.exists()
    assert save("owner") == 302
    assert OpeningHours.objects.get().hours.zone == MADRID
