"""Many deliveries in one transaction: what goes wrong for one spares the others."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper

from conversations.models import Conversation, ConversationMessage
from runtime import notify
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.concurrency import (
    ANN,
    BOB,
    SECONDS,
    in_thread,
    post,
    said,
    second_connection,
    store,
    texts,
)
from whatsapp.tests.factories import change, delivery, error, inbound, status, text_message
from whatsapp.webhook import effects
from whatsapp.webhook.storing import Batch, Failure, Outcome, failure_of


def test_a_batch_stores_every_delivery_and_a_message_once(stage: Stage) -> None:
    twice = said("twice", id="wamid.twice")
    assert store(said("a"), twice, twice, said("b", BOB)) == [Outcome(False, ())] * 4
    assert texts() == ["a", "b", "twice"]
    assert Conversation.objects.count() == 2


def test_a_customer_introduced_in_three_ways_in_one_batch_is_one_conversation(stage: Stage) -> None:
    by_phone = said("number")
    by_user_id = inbound(text_message("user id", sender=None, from_user_id="RU.1"), contacts=[])
    by_both = said("both", from_user_id="RU.1")
    store(by_user_id, by_phone, by_both)
    assert Conversation.objects.get().messages.count() == 3


@pytest.fixture
def no_bombs(stage: Stage) -> Iterator[None]:
    """PostgreSQL refuses messages and errors that say *bomb*."""
    name, table = "no_bombs", "conversation_messages"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (text <> 'bomb' AND error_detail <> 'bomb')")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def test_a_bad_message_is_quarantined_alone_and_its_neighbours_are_stored(no_bombs: None) -> None:
    bodies = [said(f"{n}", f"7900{n:07}") for n in range(10)]
    bodies[5] = inbound(text_message("beside", sender=ANN), text_message("bomb", sender=BOB), contacts=[])
    outcomes = store(*bodies)
    assert texts() == sorted([*(str(n) for n in range(10) if n != 5), "beside"])
    event = QuarantinedEvent.objects.get()
    assert event.reason == "cannot be stored: IntegrityError"
    assert [len(outcome.rejected) for outcome in outcomes] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_a_bad_status_is_quarantined_alone_and_its_neighbours_go_through(stage: Stage, no_bombs: None) -> None:
    for sender in (ANN, BOB):
        stage.converse(said("Hello", sender))
    bad = status("failed", wamid="wamid.out0001", errors=[error(1, "bomb")])
    good = status("read", wamid="wamid.out0002")
    assert post(delivery(change(statuses=[bad, good], messages=[text_message("Thanks", sender=BOB)]))) == 200
    assert dict(ConversationMessage.objects.exclude(status="").values_list("external_id", "status")) == {
        "wamid.out0001": "sent",
        "wamid.out0002": "read",
    }
    assert ConversationMessage.objects.filter(text="Thanks").exists()
    assert QuarantinedEvent.objects.get().reason == "cannot be stored: IntegrityError"


def test_a_bug_of_ours_with_one_message_spares_the_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = effects.new_message

    def broken(item: Any, *rest: Any) -> Any:
        if item.text == "odd":
            raise ZeroDivisionError
        return real(item, *rest)

    monkeypatch.setattr(effects, "new_message", broken)
    store(said("fine"), said("odd"), said("well", BOB))
    assert texts() == ["fine", "well"]
    assert QuarantinedEvent.objects.get().reason == "cannot be stored: ZeroDivisionError"


def test_a_word_too_long_for_an_index_is_bad_data_and_a_lost_connection_is_not(stage: Stage) -> None:
    found = []
    for statement in (
        "SELECT to_tsvector('simple', string_agg(md5(n::text), ' ')) FROM generate_series(1, 100000) n",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ):
        with pytest.raises(OperationalError) as caught, connection.cursor() as cursor:
            cursor.execute(statement)
        found.append(failure_of(caught.value))
        connection.close()
    assert found == [Failure.DATA, Failure.UNAVAILABLE]


def test_a_dead_connection_is_replaced_for_the_whole_batch(stage: Stage) -> None:
    store(said("a"))
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert post(said("b")) == 200
    assert texts() == ["a", "b"]


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_lost_commit_is_answered_503_and_the_repetition_stores_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    """Without a wamid, a second attempt of ours would store the message twice."""
    store(said("before"))
    real: Any = DatabaseWrapper._commit  # type: ignore[attr-defined]
    lost: list[bool] = []

    def lose(self: DatabaseWrapper) -> Any:
        if lost:
            return real(self)
        lost.append(True)
        if is_committed:
            real(self)
        kill(self)
        with self.wrap_database_errors:
            return self.connection.execute("COMMIT")  # fails: there is no connection

    body = said("once", id="wamid.once")
    monkeypatch.setattr(DatabaseWrapper, "_commit", lose)
    with monkeypatch.context() as patch:
        attempts: list[Batch] = []
        write = Batch._write

        def counted(self: Batch, items: Any) -> Any:
            attempts.append(self)
            return write(self, items)

        patch.setattr(Batch, "_write", counted)
        assert post(body) == 503
        assert len(attempts) == 1, "it may be committed, so Meta repeats it, not we"
    connection.close()
    assert texts() == (["before", "once"] if is_committed else ["before"])
    assert post(body) == 200
    assert texts() == ["before", "once"]


def kill(wrapper: DatabaseWrapper) -> None:
    """End the session of this connection, from outside."""
    pid = wrapper.connection.info.backend_pid
    with second_connection() as other:
        other.autocommit = True
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_everyone_in_the_batch_is_answered_503_when_the_database_is_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go = threading.Event(), threading.Event()
    calls: list[int] = []

    def write(self: Batch, items: Any) -> Any:
        calls.append(len(items))
        started.set()
        assert go.wait(SECONDS)
        raise OperationalError("the database is starting up")

    monkeypatch.setattr(Batch, "_write", write)
    answers: list[int] = []
    threads = [in_thread(lambda: answers.append(post(said("first"))))]
    assert started.wait(SECONDS)
    threads += [in_thread(lambda n=n: answers.append(post(said(f"{n}", f"7900{n:07}")))) for n in range(5)]  # type: ignore[misc]
    go.set()
    for thread in threads:
        thread.join(SECONDS)
    assert answers == [503] * 6
    assert texts() == []


def test_the_workers_are_notified_once_and_only_if_something_is_due(
    stage: Stage, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notified: list[bool] = []
    monkeypatch.setattr(notify, "notify_workers", lambda: notified.append(connection.in_atomic_block))
    store(said("a"), said("b", BOB))
    assert notified == [False], "after the commit"
    settings.TURN_QUIET_SECONDS = 3
    store(said("later", "79000000003"))
    assert notified == [False]


def test_a_failed_notification_does_not_cost_the_delivery(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(notify, "notify_workers", fail)
    assert post(said("a")) == 200
    assert texts() == ["a"]
