"""A business's time zone and opening hours."""

import datetime as dt
import json
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import models

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LOOKED_AHEAD = 60  # days until the next opening
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_HOLIDAY = re.compile(r"(\d{4}-\d{2}-\d{2})\s*(.*)")
MIDNIGHT = 24 * 60

Span = tuple[int, int]  # minutes since midnight: from, to


def spans(text: str) -> list[Span]:
    """The spans in a text such as “09:00-12:30, 14:00-18:00”. Raises ValidationError."""
    found: list[Span] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _SPAN.fullmatch(part)
        start, end = (0, 0)
        if match:
            start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        is_time = match is not None and int(match[2]) < 60 and int(match[4]) < 60
        if not is_time or not start < end <= MIDNIGHT or (found and start < found[-1][1]):
            raise ValidationError(f"“{part}” isn't a valid time range. Example: 09:00-12:30, 14:00-18:00")
        found.append((start, end))
    return found


def holidays(text: str) -> dict[dt.date, list[Span]]:
    """Days with hours of their own, from lines such as “2026-12-24 09:00-12:00”. A day without hours is closed."""
    found = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        match = _HOLIDAY.fullmatch(line)
        try:
            day = dt.date.fromisoformat(match[1]) if match else None
        except ValueError:
            day = None
        if match is None or day is None:
            raise ValidationError(f"“{line}” isn't a valid date. Examples: 2026-12-25, 2026-12-24 09:00-12:00")
        found[day] = spans(match[2])
    return found


def are_spans(text: str) -> None:
    """Raises ValidationError."""
    spans(text)


def are_holidays(text: str) -> None:
    """Raises ValidationError."""
    holidays(text)


def is_time_zone(name: str) -> None:
    """Raises ValidationError."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” isn't a time zone. Write, for example: Europe/Madrid or America/Sao_Paulo")


@dataclass(frozen=True, slots=True)
class Hours:
    """weekly: the spans of each weekday, Monday first; None if the business has no opening hours."""

    zone: dt.tzinfo = dt.UTC
    weekly: tuple[list[Span], ...] | None = None
    days: dict[dt.date, list[Span]] = field(default_factory=dict)

    def is_open(self, at: dt.datetime) -> bool:
        return self.weekly is None or self.closes_at(at) is not None

    def closes_at(self, at: dt.datetime) -> dt.datetime | None:
        """None if it's closed, or has no hours."""
        return next((end for start, end in self._periods(at, 1) if start <= at < end), None)

    def opens_at(self, at: dt.datetime) -> dt.datetime | None:
        """The next opening after this time; None if there's none in sight."""
        return next((start for start, _ in self._periods(at, LOOKED_AHEAD) if start > at), None)

    def closed_since(self, at: dt.datetime) -> dt.datetime | None:
        """When the closed period began that this time lies in; None if that's more than a week ago."""
        ends = [end for _, end in self._periods(at - dt.timedelta(days=7), 8) if end <= at]
        return max(ends, default=None)

    def describe(self, at: dt.datetime) -> str:
        """The time there, and whether the team is there: for the model, and for people."""
        local = at.astimezone(self.zone)
        now = f"{local:%A, %Y-%m-%d, %H:%M} ({local.tzname()})"
        if self.weekly is None:
            return f"{now}."
        if closes := self.closes_at(at):
            return f"{now}. The business is open until {closes.astimezone(self.zone):%H:%M}."
        opens = self.opens_at(at)
        return f"{now}. The business is closed{f' and opens on {self.named(opens)}' if opens else ''}."

    def named(self, at: dt.datetime) -> str:
        return f"{at.astimezone(self.zone):%A, %Y-%m-%d, at %H:%M}"

    def _periods(self, at: dt.datetime, days: int) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """The open periods of these days, the day of `at` first; a span until 24:00 joins the next day's first."""
        first = at.astimezone(self.zone).date()
        for number in range(days):
            day = first + dt.timedelta(days=number)
            for start, end in self._spans(day):
                if end == MIDNIGHT and (early := [e for s, e in self._spans(day + dt.timedelta(days=1)) if s == 0]):
                    yield self._at(day, start), self._at(day + dt.timedelta(days=1), early[0])
                else:
                    yield self._at(day, start), self._at(day, end)

    def _spans(self, day: dt.date) -> list[Span]:
        return self.days[day] if day in self.days else (self.weekly or ([],) * 7)[day.weekday()]

    def _at(self, day: dt.date, minutes: int) -> dt.datetime:
        if minutes == MIDNIGHT:
            day, minutes = day + dt.timedelta(days=1), 0
        return dt.datetime.combine(day, dt.time(minutes // 60, minutes % 60), self.zone)


def _day() -> "models.CharField[str, str]":
    return models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        validators=[are_spans],
        help_text="For example 09:00-18:00.",
    )


class OpeningHours(models.Model):
    """A business without a row is always open, and its time zone is UTC."""

    tenant = models.OneToOneField(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="opening_hours", verbose_name="business"
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        db_default="UTC",
        validators=[is_time_zone],
        help_text="For example Europe/Madrid.",
    )
    monday, tuesday, wednesday, thursday = _day(), _day(), _day(), _day()
    friday, saturday, sunday = _day(), _day(), _day()
    holidays = models.TextField(
        blank=True,
        default="",
        db_default="",
        validators=[are_holidays],
        help_text="One day per line. 2026-12-25 is closed; 2026-12-24 09:00-12:00 has hours of its own.",
    )

    class Meta:
        db_table = "opening_hours"
        verbose_name = verbose_name_plural = "opening hours"

    def __str__(self) -> str:
        return f"Opening hours of {self.tenant}"

    @classmethod
    def from_json(cls, text: str | None) -> Hours:
        """From a row as JSON. Without a row, always open."""
        row = json.loads(text) if text else {"time_zone": "UTC"}
        return cls(**{name: row.get(name, "") for name in ("time_zone", "holidays", *WEEKDAYS)}).hours

    @property
    def hours(self) -> Hours:
        weekly = tuple(spans(getattr(self, day)) for day in WEEKDAYS)
        return Hours(zoneinfo.ZoneInfo(self.time_zone), weekly if any(weekly) else None, holidays(self.holidays))
