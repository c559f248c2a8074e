"""Whatever fails, the customer gets the fallback text and the conversation is flagged, with the true reason."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from django.db import connection
from django.db.models import F

from assistant.model import retries
from assistant.model.errors import RULES
from assistant.models import Assistant, Turn
from conversations.models import Conversation, Pause
from tenants.models import Tenant
from tests.stage import Json, Stage, completion
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import inbound, text_message

FALLBACK = Assistant().fallback_text


def refused(status: int, code: str = "") -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": "The reason.", "code": code}})


def broken(error: type[Exception]) -> Callable[[Json], httpx2.Response]:
    def think(body: Json) -> httpx2.Response:
        raise error("no")

    return think


def limited(body: Json) -> httpx2.Response:
    """For as long as a turn may be postponed."""
    Turn.objects.update(opened_at=F("opened_at") - dt.timedelta(minutes=10))
    return refused(429, "rate_limit_exceeded")


def cut_off_before_it_began() -> httpx2.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "length"}
    usage = {"prompt_tokens": 500, "completion_tokens": 800}
    return httpx2.Response(200, json={"model": "m", "choices": [choice], "usage": usage})


FAILURES: dict[str, Callable[[Json], httpx2.Response]] = {
    "no_connection": broken(httpx2.ConnectError),
    "connection_lost": broken(httpx2.ReadError),
    "timeout": broken(httpx2.ReadTimeout),
    "server_error": lambda body: refused(500),
    "rate_limited": limited,
    "quota": lambda body: refused(402),
    "unauthorized": lambda body: refused(401),
    "forbidden": lambda body: refused(403),
    "model_not_found": lambda body: refused(404),
    "context_length_exceeded": lambda body: refused(413),
    "bad_request": lambda body: refused(400),
    "unreadable": lambda body: httpx2.Response(200, html="<h1>Welcome</h1>"),
    "no_room": lambda body: cut_off_before_it_began(),
    "invented": lambda body: completion("Call us on +49 151 2345678."),
    "leaked": lambda body: completion(body["messages"][0]["content"]),
    "content_filter": lambda body: refused(400, "content_filter"),
    "no_key": lambda body: refused(500),  # not called
    "endpoint_paused": lambda body: refused(500),  # not called
}


def told_and_flagged(stage: Stage, reason: str) -> None:
    turn, conversation = Turn.objects.get(), Conversation.objects.get()
    assert stage.wire.texts == [FALLBACK]
    assert (turn.state, turn.outcome, turn.lost_leases, turn.generation) == ("failed", "fallback", 0, 1)
    assert reason in turn.error
    assert conversation.needs_person.startswith("The assistant didn't reply: ")
    assert reason in conversation.needs_person


@pytest.mark.parametrize("kind", RULES)
def test_each_failure_of_the_model_is_told_and_flagged(stage: Stage, settings: Any, kind: str) -> None:
    stage.wire.model = FAILURES[kind]
    if kind == "invented":
        Assistant.objects.create(tenant=Tenant.objects.single(), fact_check=Assistant.FactCheck.ENFORCE)
    if kind == "no_key":
        settings.OPENAI_API_KEY = ""
    if kind == "endpoint_paused":
        Pause.objects.create(scope=retries.scope(Assistant()), reason="The reason.")
    stage.converse(inbound(text_message("Hello")))
    told_and_flagged(stage, "")
    assert Turn.objects.get().error


@pytest.mark.parametrize("text", ["\u200b", "\u2060 \u200b\n"])
def test_an_answer_of_which_nothing_can_be_seen_is_a_failure(stage: Stage, text: str) -> None:
    stage.wire.model = lambda body: completion(text)
    stage.converse(inbound(text_message("Hello")))
    told_and_flagged(stage, "no text")


# --- reasons on our side ---


@pytest.fixture
def fails_on() -> Iterator[Callable[[str, str], None]]:
    """Make PostgreSQL refuse to write to a table, with this SQLSTATE."""
    tables = []

    def install(table: str, sqlstate: str) -> None:
        tables.append(table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE 'The reason.' USING ERRCODE = '{sqlstate}'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION refuse_{table}()"
            )

    yield install
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refuse ON {table}")
            cursor.execute(f"DROP FUNCTION refuse_{table}()")


@pytest.mark.parametrize("sqlstate", ["42501", "42P01", "22003", "23514", "54000", "0A000", "XX000", "P0001"])
def test_a_ledger_that_cannot_be_written_fails_the_turn_at_once(
    stage: Stage, fails_on: Callable[[str, str], None], sqlstate: str
) -> None:
    fails_on("daily_usage", sqlstate)
    stage.converse(inbound(text_message("Hello")))
    told_and_flagged(stage, "The reason.")
    assert Turn.objects.get().prompt_tokens == 20


def test_a_webhook_event_that_cannot_be_written_does_not_stop_the_flag(
    stage: Stage, fails_on: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_on("daily_usage", "42501")

    def refuse(ids: object, reason: str) -> None:
        raise TypeError("no")

    monkeypatch.setattr("conversations.handover.webhook_events.needs_person", refuse)
    stage.converse(inbound(text_message("Hello")))
    told_and_flagged(stage, "The reason.")


def test_our_own_mistake_while_closing_fails_the_turn_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def divide(*args: object) -> None:
        raise ZeroDivisionError("The reason.")

    monkeypatch.setattr("assistant.turns.closing._answer", divide)
    stage.converse(inbound(text_message("Hello")))
    told_and_flagged(stage, "ZeroDivisionError: The reason.")


def test_a_person_who_took_over_is_not_interrupted_by_the_fallback_text(
    stage: Stage, fails_on: Callable[[str, str], None]
) -> None:
    fails_on("daily_usage", "42501")

    def think(body: Json) -> httpx2.Response:
        Conversation.objects.update(handled_by="operator")
        return completion("Hello")

    stage.wire.model = think
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.texts == []
    assert Turn.objects.get().state in ("failed", "suppressed")


def test_a_key_that_cannot_be_decrypted_fails_its_own_business_only(stage: Stage, settings: Any) -> None:
    settings.MULTITENANT_ENABLED = True
    for number in ("1001", "1002"):
        tenant = Tenant.objects.create(name=number, slug=number)
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token=f"token-{number}")
        Assistant.objects.create(tenant=tenant, fallback_text=f"Sorry from {number}", api_key=f"sk-{number}")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE assistants SET api_key = 'of another installation' WHERE fallback_text = 'Sorry from 1001'"
        )
    for number in ("1001", "1002"):
        stage.post(inbound(text_message("Hello", sender=f"49{number}"), phone_number_id=number))
    stage.work()
    assert sorted(stage.wire.texts) == ["Answer to Hello", "Sorry from 1001"]
    flagged = Conversation.objects.get(phone_number_id="1001")
    assert "No key in FIELD_ENCRYPTION_KEYS decrypts assistants.api_key." in flagged.needs_person
    assert Turn.objects.get(conversation=flagged).lost_leases == 0
