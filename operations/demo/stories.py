"""The conversations of the demo, read from `stories/*.toml`.

Each ends `minutes_ago`, or begins `days_ago` at a time of day. Its messages are lines of the form “who or what: text”:

- `customer`, `assistant`, `team`: a text. `uncertain`: one of the assistant that WhatsApp didn't confirm.
- `photo: file | caption` by the customer, `pdf: file | caption` by the assistant; `files.py` draws them.
- `location: name | address | latitude, longitude` by the customer.
- `buttons: text | button | …` by the assistant, `template: name | text` by the team.
- `reaction: emoji` of the customer to the message above. `note: text` of the team. `pause: 20h` before what follows.
"""

import datetime as dt
import tomllib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("stories")
FROM_CUSTOMER = ("customer", "photo", "location", "reaction")
SECONDS = {"customer": 75, "photo": 60, "location": 90, "reaction": 15, "note": 60, "team": 200, "template": 120}


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    text: str
    at: dt.datetime

    @property
    def is_customers(self) -> bool:
        return self.kind in FROM_CUSTOMER

    @property
    def parts(self) -> list[str]:
        return [part.strip() for part in self.text.split("|")]


@dataclass(frozen=True, slots=True)
class Story:
    """One conversation. fields: of the lead; a date is a number of days from today, such as “+3”."""

    name: str
    phone: str
    lines: list[Line]
    stage: str = "new"
    fields: dict[str, str] = field(default_factory=dict)
    lead_notes: str = ""
    flag: str = ""  # a HandoverReason, or “uncertain”
    summary: str = ""
    team: str = ""  # the username of the member who has taken over
    unread: bool = False


def read(now: dt.datetime, zone: dt.tzinfo) -> list[Story]:
    """All stories, as if they had happened in the two weeks before `now`."""
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]
    return [_story(given, now, zone) for table in tables for given in table["story"]]


def _story(given: dict[str, Any], now: dt.datetime, zone: dt.tzinfo) -> Story:
    offset, lines = dt.timedelta(), list[tuple[str, str, dt.timedelta]]()
    for kind, _, text in (line.partition(": ") for line in given.pop("messages")):
        if kind == "pause":
            offset += dt.timedelta(hours=int(text.removesuffix("h")))
            continue
        # The assistant's replies take 4 to 9 seconds.
        offset += dt.timedelta(seconds=SECONDS.get(kind, 4 + zlib.crc32(text.encode()) % 50 / 10))
        lines.append((kind, text, offset))
    if (minutes := given.pop("minutes_ago", None)) is not None:
        begin = now - dt.timedelta(minutes=minutes) - offset
    else:
        day = now.astimezone(zone).date() - dt.timedelta(days=given.pop("days_ago"))
        begin = dt.datetime.combine(day, dt.time.fromisoformat(given.pop("at")), zone)
        begin -= dt.timedelta(days=1) if begin + offset > now else dt.timedelta()
    return Story(lines=[Line(kind, text, begin + after) for kind, text, after in lines], **given)
