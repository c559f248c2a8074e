"""Load, while processes die or hang."""

import random
import threading
import time

import pytest

from .behaviour import Door, answer, by_place, slow
from .conftest import Worlds
from .meta import NUMBER, Statuses, echo, inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
SECONDS = 60


def test_random_workers_killed_under_load_lose_and_repeat_nothing(world: World) -> None:
    """50 conversations of 10 messages each, and every 2 s one of three workers dies."""
    world.wire.model = slow(0.5, answer)
    world.start(workers=3)
    done = threading.Event()
    killed = []

    def kill() -> None:
        while not done.wait(2):
            victim = random.choice([worker for worker in world.workers if worker.is_running])
            victim.kill()
            killed.append(victim)
            world.start_worker()

    killer = threading.Thread(target=kill)
    killer.start()
    customers = [f"{1000 + n}" for n in range(50)] * 10
    random.shuffle(customers)
    began = time.monotonic()
    try:
        for position, who in enumerate(customers):
            world.meta.deliver(inbound(said(f"{position}", customer=who)))
            time.sleep(max(0.0, began + position * SECONDS / len(customers) - time.monotonic()))
    finally:
        done.set()
        killer.join()
    world.settle()
    world.judge()
    assert len(killed) >= SECONDS / 2 * 0.6
    assert world.one("SELECT count(*) FROM conversation_messages WHERE role = 'user'") == 500
    assert {call.to for call in world.wire.accepted} == set(customers)


def test_a_model_that_hangs_for_one_tenant_leaves_slots_for_others(worlds: Worlds) -> None:
    world = worlds(WORKER_CONCURRENCY=10, MODEL_ATTEMPT_SECONDS=60, MODEL_TURN_SECONDS=70, TURN_LEASE_SECONDS=80)
    world.add_tenant("777")
    held = Door(answer)
    world.wire.model = by_place({NUMBER: held}, answer)
    world.start()
    world.meta.deliver_at_once(inbound(said("Hello", customer=f"{1000 + n}")) for n in range(30))
    held.wait()
    ask = [inbound(said("Hello", customer=f"{2000 + n}", number="777"), number="777") for n in range(10)]
    world.meta.deliver_at_once(ask)
    world.wait(lambda: len(world.wire.accepted) == 10, seconds=45, what="the other tenant was not answered")
    assert {call.place for call in world.wire.accepted} == {"777"}
    held.open()
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 40
    assert max(turn["lost_leases"] for turn in world.turns) == 0


def test_a_worker_with_one_slot_works(worlds: Worlds) -> None:
    world = worlds(WORKER_CONCURRENCY=1)
    world.start()
    world.meta.deliver(*(inbound(said("Hello", customer=f"{1000 + n}")) for n in range(5)))
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 5


def test_two_tenants_at_the_same_time_are_never_mixed(world: World) -> None:
    """The same customer writes to both."""
    world.add_tenant("777")
    world.start(workers=2)
    bodies = [
        inbound(said(f"{n}", customer=f"{1000 + n % 20}", number=number), number=number)
        for n in range(100)
        for number in (NUMBER, "777")
    ]
    world.meta.deliver_at_once(bodies)
    world.settle()
    world.judge()
    assert {(call.place, call.to) for call in world.wire.accepted} == {
        (number, f"{1000 + n}") for number in (NUMBER, "777") for n in range(20)
    }


def test_webhook_worker_statuses_and_takeovers_at_once_do_not_deadlock(worlds: Worlds) -> None:
    """Five conversations, and everything that locks their rows: customers, statuses, takeovers, closing turns,
    recovery."""
    world = worlds(TURN_QUIET_SECONDS=0, SWEEP_SECONDS=0.1)
    world.meta.statuses = Statuses(("sent", "failed", "read"), delay=0, shuffled=True)
    world.start(workers=2)
    customers = [f"{1000 + n}" for n in range(5)]
    bodies = []
    for n in range(400):
        several = [said(f"{n} {who}", customer=who) for who in random.sample(customers, 3)]
        bodies.append(echo(random.choice(customers)) if n % 40 == 39 else inbound(*several))
    done = threading.Event()

    def hand_back() -> None:
        while not done.wait(0.1):
            for who in customers:
                world.database.execute("UPDATE conversations SET handled_by = 'assistant' WHERE external_id = %s", who)

    desk = threading.Thread(target=hand_back)
    desk.start()
    try:
        world.meta.deliver_at_once(bodies, threads=8, pause=0.02)
    finally:
        done.set()
        desk.join()
    world.settle()
    theirs = world.database.column("SELECT external_id FROM conversation_messages WHERE role = 'user'")
    world.judge(excused=theirs)
    assert {code for code, _ in world.meta.answers} == {200}
    assert world.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert world.wire.accepted
