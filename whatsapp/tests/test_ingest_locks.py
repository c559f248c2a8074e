"""Rows that another transaction holds delay only their own conversation."""

import threading

import pytest
from django.db import connection

from conversations.models import ConversationMessage
from tests.stage import Stage
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.concurrency import (
    ANN,
    BOB,
    SECONDS,
    in_thread,
    locked,
    post,
    said,
    store,
    texts,
    wait_until_blocked,
)
from whatsapp.tests.factories import Json, change, delivery, status
from whatsapp.webhook import ingest


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
