"""What the model is told about the moment, and what customers are promised."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from assistant.models import Assistant
from assistant.turns.brake import is_machine
from assistant.turns.situation import Situation
from conversations.models import ConversationMessage
from tenants.hours import Hours, OpeningHours

MONDAY_10, MONDAY_20 = (dt.datetime(2026, 11, 23, hour, tzinfo=dt.UTC) for hour in (10, 20))
OFFICE = OpeningHours(time_zone="UTC", **dict.fromkeys(("monday", "tuesday"), "09:00-18:00")).hours


def situation(now: dt.datetime, hours: Hours = OFFICE, **fields: object) -> Situation:
    return Situation.at(now, hours, "Ada", fields)


def told(messages: list[dict[str, Any]], now: dt.datetime = MONDAY_10, **columns: Any) -> list[dict[str, Any]]:
    return situation(now, guests=12).added_to(messages, Assistant(**columns))


def test_the_last_message_of_the_customer_begins_with_time_hours_and_facts() -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    *before, last = told([*history, {"role": "user", "content": "A cake, please"}])
    assert before == history
    assert last["content"] == (
        "<situation>\n"
        "Now: Monday, 2026-11-23, 10:00 (UTC). The business is open until 18:00.\n"
        'Known about the customer: {"name": "Ada", "guests": 12}\n'
        "</situation>\n"
        "A cake, please"
    )


def test_a_message_with_an_image_gets_a_part_of_its_own() -> None:
    image = {"type": "image_url", "image_url": {"url": "x"}}
    (message,) = told([{"role": "user", "content": [image]}])
    assert message["content"][0]["text"].startswith("<situation>")
    assert message["content"][1] == image


def test_the_model_is_asked_to_say_when_the_team_is_back_only_when_it_is_away() -> None:
    asked = [{"role": "user", "content": "Hi"}]
    assert "Mention when it is back" in told(asked, MONDAY_20, out_of_hours="says")[0]["content"]
    assert "Mention when it is back" not in told(asked, MONDAY_10, out_of_hours="says")[0]["content"]
    assert "Mention when it is back" not in told(asked, MONDAY_20, out_of_hours="answers")[0]["content"]


@pytest.mark.parametrize(
    ("now", "hours", "promise"),
    [
        (MONDAY_10, Hours(), "A member of the team will reply here."),
        (MONDAY_10, OFFICE, "A member of the team will reply here. The team is there until 18:00."),
        (
            MONDAY_20,
            OFFICE,
            "The team is away now and is back on Tuesday, 2026-11-24, at 09:00. "
            "Then a member of the team will reply here.",
        ),
    ],
)
def test_a_handover_promises_what_is_true(now: dt.datetime, hours: Hours, promise: str) -> None:
    assert situation(now, hours).next_step == promise


def test_the_away_message_is_sent_once_in_a_closed_period() -> None:
    silent = Assistant(out_of_hours="silent", away_text="We're closed.")

    def history(*ages: float) -> list[ConversationMessage]:
        times = [MONDAY_20 - dt.timedelta(hours=age) for age in ages]
        return [ConversationMessage(origin="assistant", text="We're closed.", created_at=time) for time in times]

    evening = situation(MONDAY_20)
    assert evening.away_text(silent, history()) == "We're closed."
    assert evening.away_text(silent, history(24)) == "We're closed."  # that was last night
    assert evening.away_text(silent, history(1)) == ""
    assert situation(MONDAY_10).away_text(silent, history()) == ""
    assert evening.away_text(Assistant(away_text="We're closed."), history()) == ""


def exchange(*answers: tuple[str, float], origin: str = "assistant") -> list[ConversationMessage]:
    """Each answer of the customer, and how many seconds after our message it came."""
    now = timezone.now()
    messages = []
    for text, seconds in answers:
        messages.append(ConversationMessage(role="assistant", origin=origin, text="Hello!", created_at=now))
        now += dt.timedelta(seconds=seconds)
        messages.append(ConversationMessage(role="user", origin="customer", text=text, created_at=now))
        now += dt.timedelta(seconds=1)
    return messages


AWAY = "Thanks for your message! We will get back to you as soon as we can."


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (exchange(*[(AWAY, 60)] * 5), True),  # the same again and again
        (exchange(*[(AWAY, 60)] * 4), False),
        (exchange(*[(f"{AWAY} Ticket {n}", 2) for n in range(5)]), True),  # nobody types that fast
        (exchange(*[(f"{AWAY} Ticket {n}", 30) for n in range(5)]), False),
        (exchange(("yes", 4), ("two", 6), ("no", 3), ("ok", 5), ("thanks", 7)), False),
        ([*exchange(*[(AWAY, 1)] * 3), *exchange((AWAY, 1), origin="operator"), *exchange((AWAY, 1))], False),
        ([], False),
    ],
)
def test_notices_another_machine(history: list[ConversationMessage], expected: bool) -> None:
    assert is_machine(history) is expected
