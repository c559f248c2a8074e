"""`manage.py verify_chat_history`: prints each step, stops at the first failure, and cleans up."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.models import Conversation
from operations.management.commands import verify_chat_history
from tenants.models import Tenant
from tests.stage import SECRET
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db(transaction=True)


def verify(**options: Any) -> str:
    out = StringIO()
    call_command("verify_chat_history", stdout=out, **options)
    return out.getvalue()


def test_it_prints_each_step_and_removes_what_it_made() -> None:
    printed = verify()
    assert [line[:2] for line in printed.splitlines()].count("ok") == 5
    assert "All checks passed." in printed
    assert [model.objects.count() for model in (Tenant, WhatsAppAccount, Conversation)] == [1, 0, 0]


def test_it_creates_the_tables_of_an_empty_database(monkeypatch: pytest.MonkeyPatch) -> None:
    migrations: list[str] = []
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_: [])
    monkeypatch.setattr(verify_chat_history, "call_command", lambda name, **_: migrations.append(name))
    assert "Creating its tables" in verify()
    assert migrations == ["migrate"]


def test_it_uses_and_leaves_the_tenant_and_account_that_exist() -> None:
    tenant = Tenant.objects.create(name="North", slug="north")
    WhatsAppAccount.objects.create(tenant=tenant, phone_number_id="1001")
    assert "North, 1001" in verify()
    assert WhatsAppAccount.objects.get().phone_number_id == "1001"


def test_it_leaves_what_it_made_with_keep() -> None:
    verify(keep=True)
    assert Tenant.objects.count() == 1


def test_it_fails_at_the_first_step_that_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_chat_history, "get_last_messages", lambda *args, **kwargs: [])
    with pytest.raises(CommandError, match="FAILED the last messages are returned oldest first"):
        verify()
    assert not Conversation.objects.exists()


def test_the_full_check_of_a_running_server(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has its own tests; this one writes the reply to the database."""
    settings.WHATSAPP_APP_SECRETS = [SECRET]
    monkeypatch.setattr(
        verify_chat_history,
        "_wait_for_reply",
        lambda stand, timeout: stand.conversations.get().messages.create(role="assistant", text="Hello!"),
    )
    printed = verify(url=live_server.url)
    assert "the history has 2 of the customer's messages" in printed
    assert "a reply within 60 s (Hello!)" in printed


def test_a_fallback_text_is_not_a_reply(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WHATSAPP_APP_SECRETS = [SECRET]

    def fail(stand: verify_chat_history.Stand, timeout: float) -> Any:
        conversation = stand.conversations.get()
        conversation.turns.update(state="failed", outcome="fallback", error="The service is down.")
        return conversation.messages.create(role="assistant", text="Sorry, I can't answer right now.")

    monkeypatch.setattr(verify_chat_history, "_wait_for_reply", fail)
    with pytest.raises(CommandError, match=r"FAILED the model wrote it: The service is down\."):
        verify(url=live_server.url)
    assert not Conversation.objects.exists()


def test_a_missing_reply_is_a_failure_that_says_where_to_look(live_server: Any, settings: Any) -> None:
    settings.WHATSAPP_APP_SECRETS = [SECRET]
    with pytest.raises(CommandError, match="is the worker running"):
        verify(url=live_server.url, timeout=0.5)


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"no response from http://127\.0\.0\.1:1"):
        verify(url="http://127.0.0.1:1")
