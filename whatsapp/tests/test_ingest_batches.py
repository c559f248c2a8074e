"""Many deliveries in one transaction: locks, bad rows, lost connections. A failure of one doesn't affect the others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client

from conversations.models import Conversation, ConversationMessage
from runtime import notify
from tests.stage import SECRET, WEBHOOK, Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import Json, change, delivery, error, inbound, signed, status, text_message
from whatsapp.webhook import effects, ingest
from whatsapp.webhook.parsing import parse
from whatsapp.webhook.routing import Signer
from whatsapp.webhook.storing import Batch, Failure, Locking, Outcome, SignedBody, failure_of

ANN, BOB = "79000000001", "79000000002"
SECONDS = 30.0


def said(text: str, sender: str = ANN, **more: Any) -> Json:
    return inbound(text_message(text, sender=sender, **more), contacts=[])


def store(*bodies: Json) -> list[Outcome]:
    return Batch([SignedBody(parse(body), Signer()) for body in bodies], Locking.SKIP).store()


def texts() -> list[str]:
    return sorted(ConversationMessage.objects.values_list("text", flat=True))


@contextmanager
def second_connection() -> Iterator[psycopg.Connection]:
    parameters = connection.get_connection_params()
    names = {name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if name in parameters}
    with psycopg.connect(**names) as other:
        yield other


@contextmanager
def locked(table: str, condition: str) -> Iterator[psycopg.Connection]:
    """Another transaction holds these rows."""
    with second_connection() as other:
        assert other.execute(f"SELECT FROM {table} WHERE {condition} FOR UPDATE").rowcount
        yield other
        other.rollback()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        work()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def post(body: Json) -> int:
    """From any thread, through the view."""
    raw, header = signed(body, SECRET)
    headers = {"X-Hub-Signature-256": header}
    return Client().post(WEBHOOK, raw, content_type="application/json", headers=headers).status_code


def wait_until_blocked() -> None:
    """Wait until a transaction is blocked by another."""
    with second_connection() as other:
        other.autocommit = True
        for _ in range(10_000):
            waiting = other.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
            if waiting and waiting[0]:
                return
    pytest.fail("nothing waits for a lock")


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


def test_a_locked_conversation_leaves_the_batch_and_the_others_are_stored(stage: Stage) -> None:
    store(said("before"))
    with locked("conversations", f"external_id = '{ANN}'"):
        busy, free = store(said("for Ann"), said("for Bob", BOB))
    assert (busy.is_busy, free.is_busy) == (True, False)
    assert texts() == ["before", "for Bob"]


def test_a_status_of_a_locked_conversation_leaves_the_batch_too(stage: Stage) -> None:
    stage.converse(said("Hello"))
    told = delivery(change(statuses=[status("read", wamid="wamid.out0001")]))
    with locked("conversations", f"external_id = '{ANN}'"):
        busy, free = store(told, said("for Bob", BOB))
    assert (busy.is_busy, free.is_busy) == (True, False)
    assert ConversationMessage.objects.get(role="assistant").status == "sent"


def test_a_held_row_lock_delays_only_its_own_conversation(stage: Stage) -> None:
    store(said("before"))
    answers: list[int] = []
    with locked("conversations", f"external_id = '{ANN}'"):
        waiting = in_thread(lambda: answers.append(post(said("for Ann"))))
        wait_until_blocked()
        assert post(said("for Bob", BOB)) == 200
        assert answers == []
    waiting.join(SECONDS)
    assert answers == [200]
    assert texts() == ["before", "for Ann", "for Bob"]


def test_a_conversation_that_stays_locked_is_answered_503(stage: Stage) -> None:
    store(said("before"))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    with locked("conversations", f"external_id = '{ANN}'"):
        assert post(said("for Ann")) == 503
    assert texts() == ["before"]
    assert post(said("for Ann")) == 200


def test_only_a_few_threads_wait_for_locked_conversations(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    store(said("before"))
    monkeypatch.setattr(ingest, "_waiting", threading.BoundedSemaphore(1))
    monkeypatch.setattr(ingest, "WAITING_TURN_SECONDS", 0.01)
    with locked("conversations", f"external_id = '{ANN}'"):
        waiting = in_thread(lambda: post(said("first")))
        wait_until_blocked()
        assert post(said("second")) == 503
    waiting.join(SECONDS)
    assert texts() == ["before", "first"]


def test_a_batch_that_meets_a_held_turn_is_stored_one_by_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    store(said("before"))
    monkeypatch.setattr(ingest, "_waiting", threading.BoundedSemaphore(1))
    monkeypatch.setattr(ingest, "WAITING_TURN_SECONDS", 0.01)
    with locked("turns", "state = 'collecting'"), ingest._waiting:
        assert [outcome.is_busy for outcome in store(said("for Ann"), said("for Bob", BOB))] == [True, True]
        assert (post(said("for Ann")), post(said("for Bob", BOB))) == (503, 200), "Bob's needs no place to wait"
    assert texts() == ["before", "for Bob"]
    assert not QuarantinedEvent.objects.exists(), "a held lock is never bad data"


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


def test_deliveries_of_statuses_in_opposite_order_do_not_deadlock(stage: Stage) -> None:
    """Each *failed* changes its conversation, each *delivered* its message."""
    for sender in (ANN, BOB):
        stage.converse(said("Hello", sender))
    wamids = ["wamid.out0001", "wamid.out0002"]
    ConversationMessage.objects.exclude(status="").update(status="sending")
    before = deadlocks()

    def deliveries(words: tuple[str, str]) -> list[Json]:
        told = [status(word, wamid=wamid) for word, wamid in zip(words, wamids, strict=True)]
        return [delivery(change(statuses=told))] * 20

    answers: list[int] = []
    threads = [
        in_thread(lambda words=words: answers.extend(map(post, deliveries(words))))  # type: ignore[misc]
        for words in (("failed", "delivered"), ("delivered", "failed")) * 2
    ]
    for thread in threads:
        thread.join(SECONDS)
    assert answers == [200] * 80
    assert deadlocks() == before


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


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
