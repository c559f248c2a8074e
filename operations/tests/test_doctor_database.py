"""What `manage.py doctor` finds in the database and in what waits there."""

import pytest
from django.db import connection

from assistant.model import retries
from assistant.models import Assistant, Turn
from conversations.models import Conversation, ConversationMessage, Pause
from conversations.tests.rows import conversation
from operations.doctor import database, work
from operations.doctor.findings import Level
from operations.tests.doctoring import NUMBER, Outside, account, bad, one
from operations.tests.test_health import heartbeat
from runtime.clock import ago
from whatsapp.graph.access import hold, sending_access


@pytest.mark.django_db
def test_finds_migrations_that_are_not_applied() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'leads'")
    assert "leads 0001_initial" in one(database.migrations)
    assert "manage.py migrate" in one(database.migrations)


@pytest.mark.django_db
def test_finds_rights_and_timeouts_that_are_missing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE doctor_role; SET LOCAL ROLE doctor_role; SET LOCAL statement_timeout = 0")
    levels = {each.level: f"{each.text} {each.remedy}" for each in bad(database.rights)}
    assert "The role doctor_role can't read and write" in levels[Level.ERROR]
    assert "DATABASE_STATEMENT_SECONDS" in levels[Level.WARNING]


@pytest.mark.django_db
def test_finds_a_full_server_and_an_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FULL", 0)
    assert "Raise max_connections" in one(database.load)
    monkeypatch.setattr(database, "OLDEST_VERSION", 99)
    assert "is too old" in bad(database.reachable)[0].text


@pytest.mark.django_db(transaction=True)
def test_finds_a_transaction_that_someone_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "IDLE_SECONDS", 0)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        assert f"pg_terminate_backend({pid})" in one(database.load, Level.WARNING)
    finally:
        other.close()


@pytest.mark.django_db
def test_finds_an_invalid_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'turn_due'::regclass")
    assert "REINDEX INDEX CONCURRENTLY turn_due" in one(database.tables)


@pytest.mark.django_db
def test_finds_a_read_only_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL default_transaction_read_only = on")
    assert any("primary server" in each.remedy for each in bad(database.reachable))


@pytest.mark.django_db
def test_finds_a_clock_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bad(database.clock) == []
    monkeypatch.setattr(database, "CLOCK_SECONDS", -1)
    assert "NTP" in one(database.clock, Level.WARNING)


# --- Work ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_finds_that_no_worker_runs() -> None:
    heartbeat(90)
    assert "python manage.py worker" in one(work.workers)


@pytest.mark.django_db
def test_finds_what_is_overdue_but_not_what_is_held(outside: Outside) -> None:
    number = account()
    talk = conversation(number.tenant)
    Conversation.objects.update(phone_number_id=NUMBER)
    message = ConversationMessage.objects.create(
        conversation=talk, tenant=talk.tenant, role="assistant", status="queued", next_attempt_at=ago(90)
    )
    later = {"due_at": ago(3600), "latest_due_at": ago(3600), "first_message_id": message.pk}
    turn = Turn.objects.create(conversation=talk, tenant=number.tenant, last_message_id=message.pk, **later)
    levels = {each.text: each.level for each in bad(work.queues)}
    assert levels == {
        "The oldest turn has been due for 60 minutes.": Level.ERROR,
        "The oldest message has been due for 90 seconds.": Level.WARNING,
    }
    turn.delete()
    hold(sending_access([NUMBER])[0], "the token has expired", 190)
    assert bad(work.queues) == []
    assert "the token has expired" in one(work.broken)


@pytest.mark.django_db
def test_finds_a_model_that_is_paused(outside: Outside) -> None:
    assistant = Assistant.objects.create(tenant=account().tenant, api_key="sk-of-bakery")
    assert bad(work.broken) == []
    Pause.objects.create(scope=retries.scope(assistant), reason="quota: There's no credit left", until=None)
    assert "There's no credit left" in one(work.broken)
