"""What `manage.py doctor` finds outside: at Meta, at the numbers, at the models' services."""

import datetime as dt
from typing import Any

import pytest

from assistant.models import Assistant
from operations.doctor import services
from operations.doctor.findings import Level
from operations.tests.doctoring import CALLBACK, TOKEN, WABA, Outside, account, bad, one
from whatsapp.models import WhatsAppAccount


def test_finds_that_meta_cannot_be_reached_and_that_the_clock_is_wrong(outside: Outside) -> None:
    assert bad(services.meta) == []
    outside.ahead = dt.timedelta(minutes=5)
    assert "NTP" in one(services.meta, Level.WARNING)
    outside.is_away = True
    assert "firewall" in one(services.meta)


@pytest.mark.parametrize(
    ("status", "level", "remedy"),
    [(403, Level.ERROR, "WHATSAPP_VERIFY_TOKEN"), (301, Level.ERROR, "without a redirect")],
)
def test_finds_a_webhook_that_does_not_answer_the_handshake(
    outside: Outside, status: int, level: Level, remedy: str
) -> None:
    assert bad(services.callback) == []
    outside.webhook_status = status
    assert remedy in one(services.callback, level)
    outside.is_away = True
    assert "PUBLIC_URL" in one(services.callback, Level.WARNING)


@pytest.mark.django_db
def test_finds_models_that_cannot_be_used(outside: Outside, settings: Any) -> None:
    Assistant.objects.create(tenant=account().tenant)
    assert bad(services.models) == []
    outside.model_status = 404  # not every service has a list
    assert bad(services.models) == []
    outside.model_status = 401
    assert "Enter a valid API key" in one(services.models)
    outside.is_away = True
    assert "can't be reached" in one(services.models)
    settings.OPENAI_API_KEY = ""
    assert "OPENAI_API_KEY" in one(services.models)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("planted", "level", "words"),
    [
        ({"token_is_valid": False}, Level.ERROR, "Save a valid permanent token"),
        ({"number": {"id": "another"}}, Level.ERROR, "Copy the phone number ID"),
        ({"subscribed": "another app"}, Level.ERROR, "Another app is subscribed"),
        ({"app_secret": "f" * 32}, Level.WARNING, "Copy the secret of the app"),
        ({"number": {"quality_rating": "RED"}}, Level.WARNING, "rating of the number: RED"),
        ({"number": {"status": "BANNED"}}, Level.ERROR, "instructions in WhatsApp Manager"),
        (
            {"callback": "https://old.example/hook?token=1"},
            Level.ERROR,
            "to https://old.example/hook, not to " + CALLBACK,
        ),
    ],
)
def test_finds_what_is_wrong_with_a_number(outside: Outside, planted: dict[str, Any], level: Level, words: str) -> None:
    account()
    assert bad(services.numbers) == []
    for name, value in planted.items():
        setattr(outside, name, value)
    found = bad(services.numbers)
    assert {each.level for each in found} == {level}
    assert any(words in f"{each.text} {each.remedy}" for each in found)
    assert not any(TOKEN in each.text for each in found)


@pytest.mark.django_db
def test_finds_numbers_without_a_token_or_a_delivery(outside: Outside) -> None:
    WhatsAppAccount.objects.filter(pk=account(last_delivery_at=None).pk).update(access_token="")
    remedies = [each.remedy for each in bad(services.numbers)]
    assert "callback URL" in remedies[0]
    assert "permanent token" in remedies[1]


@pytest.mark.django_db
def test_checks_the_numbers_of_a_single_business(outside: Outside, settings: Any) -> None:
    settings.MULTITENANT_ENABLED = False
    settings.WHATSAPP_ACCESS_TOKEN = TOKEN
    assert "WHATSAPP_WABA_ID" in one(services.numbers, Level.WARNING)
    settings.WHATSAPP_WABA_ID = WABA
    assert bad(services.numbers) == []
    outside.subscribed = "another app"
    assert "Another app" in one(services.numbers)
