"""Mistakes in the settings are reported at startup, with what to do."""

from typing import Any

import pytest
from django.core.checks import run_checks

from conversations.outbox import senders


def ids() -> set[str]:
    return {str(message.id) for message in run_checks() if message.id}


def test_warns_about_a_missing_app_secret(settings: Any) -> None:
    settings.WHATSAPP_APP_SECRETS = []
    assert "whatsapp.W001" in ids()
    settings.WHATSAPP_APP_SECRETS = ["secret"]
    assert "whatsapp.W001" not in ids()


def test_warns_about_a_business_without_a_token(settings: Any) -> None:
    settings.WHATSAPP_ACCESS_TOKEN = ""
    assert "whatsapp.W002" in ids()
    settings.MULTITENANT_ENABLED = True
    assert "whatsapp.W002" not in ids()


@pytest.mark.parametrize("version", ["24.0", "v", "latest", ""])
def test_an_invalid_graph_version_is_an_error(settings: Any, version: str) -> None:
    settings.WHATSAPP_GRAPH_VERSION = version
    assert "whatsapp.E001" in ids()


@pytest.mark.parametrize(
    "path", ["nowhere.Sender", "conversations.outbox.senders.Missing", "conversations.outbox.senders.Outbound"]
)
def test_a_sender_that_cannot_be_loaded_is_an_error(settings: Any, path: str) -> None:
    settings.MESSAGE_SENDER = path
    senders.load_sender.cache_clear()
    assert "conversations.E001" in ids()
    senders.load_sender.cache_clear()
