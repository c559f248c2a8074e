"""The assistant's settings and its daily usage."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from api.tests.clients import Clients
from api.views.assistant import AssistantSerializer
from assistant.models import DEFAULT_INSTRUCTIONS, Assistant, Turn
from conversations.models import Conversation
from conversations.tests.rows import conversation, owner


def test_the_defaults_are_returned_until_something_is_set(clients: Clients) -> None:
    assert clients.reader.get("assistant").json()["instructions"] == DEFAULT_INSTRUCTIONS
    assert not Assistant.objects.exists()
    assert clients.writer.patch("assistant", {}).status_code == 200
    assert not Assistant.objects.exists()


def test_an_update_changes_what_is_sent_and_never_returns_the_key(clients: Clients) -> None:
    answer = clients.writer.patch("assistant", {"instructions": "Be brief.", "api_key": "sk-hush"})
    row = Assistant.objects.get()
    assert (row.tenant, row.instructions, row.api_key) == (clients.businesses.ours, "Be brief.", "sk-hush")
    assert answer.json()["has_api_key"] is True
    assert "hush" not in answer.content.decode()
    answer = clients.writer.patch("assistant", {"temperature": 0.5})
    assert (answer.json()["instructions"], answer.json()["has_api_key"]) == ("Be brief.", True)
    assert clients.writer.patch("assistant", {"api_key": ""}).json()["has_api_key"] is False
    assert clients.theirs.get("assistant").json()["instructions"] == DEFAULT_INSTRUCTIONS


def test_a_client_cannot_change_the_base_url(clients: Clients) -> None:
    Assistant.objects.create(tenant=clients.businesses.ours, api_key="sk-hush")
    answer = clients.writer.patch("assistant", {"base_url": "http://169.254.169.254/"})
    assert (answer.status_code, answer.json()["base_url"]) == (200, "")
    assert Assistant.objects.get().base_url == ""


@pytest.mark.parametrize(
    "data",
    [
        {"temperature": 3},
        {"temperature": "nan"},
        {"quiet_seconds": "NaN"},
        {"history_limit": 0},
        {"max_output_tokens": 10**12},
        {"instructions": None},
        {"transcription_language": "Spanish"},
    ],
)
def test_values_out_of_bounds_are_refused(clients: Clients, data: dict[str, Any]) -> None:
    answer = clients.writer.patch("assistant", data)
    assert (answer.status_code, list(answer.json())) == (400, list(data))


def test_every_setting_of_the_assistant_is_in_the_api() -> None:
    settings = {field.name for field in Assistant._meta.fields if field.editable} - {"id", "tenant"}
    assert settings <= set(AssistantSerializer().fields)


def test_images_and_transcription_can_be_updated(clients: Clients) -> None:
    answer = clients.writer.patch("assistant", {"sees_images": True, "transcription_language": "es"}).json()
    assert (answer["sees_images"], answer["transcription_language"]) == (True, "es")
    row = Assistant.objects.get()
    assert (row.sees_images, row.transcription_language) == (True, "es")


def turn(of: Conversation, day: str, state: str = "replied", **columns: Any) -> None:
    at = dt.datetime.fromisoformat(f"{day}T12:00:00+00:00")
    Turn.objects.create(
        tenant=owner(of),
        conversation=of, state=state, opened_at=at, due_at=at, latest_due_at=at, first_message_id=1,
        last_message_id=1, **columns,
    )  # fmt: skip


def test_usage_is_summed_by_day(clients: Clients) -> None:
    talk = conversation(clients.businesses.ours)
    turn(talk, "2026-03-01", prompt_tokens=10, cached_tokens=4, completion_tokens=2, cost=Decimal("0.5"))
    turn(talk, "2026-03-01", "failed", prompt_tokens=1)
    turn(talk, "2026-03-03", "suppressed")
    turn(conversation(clients.businesses.theirs), "2026-03-01", prompt_tokens=99)
    answer = clients.reader.get("usage", since="2026-03-01", until="2026-03-03")
    first, second = answer.json()["days"]
    assert first == {
        "day": "2026-03-01",
        "turns": 2,
        "replies": 1,
        "prompt_tokens": 11,
        "cached_tokens": 4,
        "completion_tokens": 2,
        "cost": "0.500000",
    }
    assert (second["day"], second["turns"], second["replies"], second["cost"]) == ("2026-03-03", 1, 0, None)


def test_usage_covers_the_last_30_days_by_default(clients: Clients) -> None:
    today = timezone.now().date()
    talk = conversation(clients.businesses.ours)
    for ago in (0, 29, 30):
        turn(talk, (today - dt.timedelta(days=ago)).isoformat())
    days = [row["day"] for row in clients.reader.get("usage").json()["days"]]
    assert days == [(today - dt.timedelta(days=29)).isoformat(), today.isoformat()]


@pytest.mark.parametrize(
    "query",
    [
        {"since": "2026-03-02", "until": "2026-03-01"},
        {"since": "2020-01-01", "until": "2026-03-01"},
        {"until": "0001-01-01"},
        {"until": "9999-12-31"},
        {"since": "soon"},
    ],
)
def test_invalid_periods_are_refused(clients: Clients, query: dict[str, str]) -> None:
    assert clients.reader.get("usage", **query).status_code == 400
