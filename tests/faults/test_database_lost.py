"""The database becomes unavailable: at the worst statement, or completely for a while."""

import threading
import time

import pytest

from .behaviour import Door, answer, hang, slow
from .conftest import Worlds
from .meta import inbound, said
from .severed import Severed
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
STORED = b"INSERT INTO conversation_messages"
REPLIED = b'INSERT INTO "conversation_messages"'
SENT = b"SET status = 'sent'"


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_of_a_delivery_whose_end_is_unknown_stores_it_once(world: World, committed: bool) -> None:
    """C17 in the webhook"""
    severed = Severed(world.wire, world.database, after=STORED, forward=committed)
    world.start_web(DATABASE_URL=severed.url)
    world.meta.deliver(inbound(said("first"), said("second")))
    assert severed.happened.is_set()
    world.start_worker()
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_turn_whose_closing_is_unknown_replies_once(worlds: Worlds, committed: bool) -> None:
    """C17 while closing a turn"""
    world = worlds(TURN_LEASE_SECONDS=4)
    severed = Severed(world.wire, world.database, after=REPLIED, forward=committed)
    world.start_web(wait=False)
    world.start_worker(DATABASE_URL=severed.url)
    world.wait_for_web()
    world.meta.deliver(inbound(said("first"), said("second")))
    world.wait(severed.happened.is_set)
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 1
    assert len(world.wire.of("model")) == 1, "the closing is repeated, not the question"


@pytest.mark.parametrize("committed", [True, False])
def test_a_lost_record_of_a_sent_message_is_settled_by_the_status(world: World, committed: bool) -> None:
    """C17 after sending"""
    assert world.meta.statuses
    world.meta.statuses.delay = 3
    severed = Severed(world.wire, world.database, after=SENT, at=b"wamid.out", forward=committed)
    world.start_web(wait=False)
    world.start_worker(DATABASE_URL=severed.url)
    world.wait_for_web()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(severed.happened.is_set)
    world.settle()
    world.judge()
    assert [row["status"] for row in world.replies] == ["delivered"]
    assert len(world.wire.of("send")) == 1


@pytest.mark.parametrize("seconds", [0, 4, 20])
def test_a_postgresql_restarted_under_load_loses_nothing(worlds: Worlds, seconds: float) -> None:
    """503 meanwhile (C18), and the worker recovers within 10 s, although it's waiting for a model."""
    world = worlds(TURN_LEASE_SECONDS=20, MODEL_ATTEMPT_SECONDS=15, MODEL_TURN_SECONDS=18)
    held = Door(answer)
    world.wire.model = slow(0.3, answer)
    world.start()
    usual = seconds_to_send(world, "9998")
    bodies = [inbound(said(f"{n}", customer=f"{1000 + n % 40}")) for n in range(300)]
    # Slow enough that there's something left to deliver when the database stops.
    sender = threading.Thread(target=world.meta.deliver_at_once, args=(bodies, 4, 0.1))
    sender.start()
    world.wait(lambda: len(world.meta.acknowledged) > 50)
    world.wire.model = held
    world.wait(held.entered.is_set)
    world.wire.model = slow(0.3, answer)
    during = without_database(world, seconds)
    took = seconds_to_send(world, "9999")
    held.open()
    sender.join()
    world.settle()
    world.judge()
    assert set(during) <= {503}
    assert during or not seconds
    # If the usual response takes more than two seconds, the machine is busy and gets more time.
    assert took < max(10, 5 * usual), f"the worker was back after {took:.1f} s\n{world.story()}"
    assert len(world.meta.acknowledged) == 302


def seconds_to_send(world: World, customer: str) -> float:
    """Until the worker sends anything: this message, or one that waited."""
    before, asked = len(world.wire.of("send")), time.monotonic()
    world.meta.deliver(inbound(said("Hello", customer=customer)))
    world.wait(lambda: len(world.wire.of("send")) > before)
    return time.monotonic() - asked


def without_database(world: World, seconds: float) -> list[int]:
    """The responses to Meta meanwhile."""
    world.database.postgres.stop()
    before = len(world.meta.answers)
    time.sleep(seconds)
    during = [code for code, _ in world.meta.answers[before:]]
    world.database.postgres.start()
    return during


def test_sigterm_without_a_database_ends_the_worker(worlds: Worlds) -> None:
    world = worlds(MODEL_ATTEMPT_SECONDS=50, MODEL_TURN_SECONDS=60, TURN_LEASE_SECONDS=70, WORKER_STOP_SECONDS=5)
    world.wire.model = hang
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(lambda: len(world.wire.of("model")) == 1)
    world.database.postgres.stop()
    try:
        time.sleep(3)
        asked = time.monotonic()
        world.workers[0].terminate()
        world.workers[0].wait(60)
        assert time.monotonic() - asked < 5 + 15
    finally:
        world.database.postgres.start()
    assert "Traceback" not in world.workers[0].output.partition("worker: stopped")[2]
