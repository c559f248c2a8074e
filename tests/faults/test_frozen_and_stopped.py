"""Workers that freeze and resume (C14), and workers that are asked to stop (C19)."""

import time

import pytest

from .behaviour import Door, accept, always, answer, graph_error, hang, slow
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
LEASE = 3


def test_a_worker_that_wakes_after_its_lease_is_fenced(worlds: Worlds) -> None:
    world = worlds(TURN_LEASE_SECONDS=LEASE, MODEL_ATTEMPT_SECONDS=2, MODEL_TURN_SECONDS=2)
    held = Door(answer)
    world.wire.model = held
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    world.workers[0].freeze()
    frozen = time.monotonic()
    world.wire.model = answer
    held.open()
    world.start_worker()
    world.settle()
    world.wait(lambda: time.monotonic() - frozen > LEASE + 10)
    world.workers[0].thaw()
    world.wait(lambda: "fenced" in world.workers[0].output or len(world.wire.accepted) > 1)
    world.settle()
    world.judge()
    assert "fenced" in world.workers[0].output
    assert len(world.wire.accepted) == 1
    assert [(turn["state"], turn["generation"], turn["lost_leases"]) for turn in world.turns] == [("replied", 2, 1)]


def test_a_worker_that_froze_while_sending_records_the_outcome(worlds: Worlds) -> None:
    world = worlds(GRAPH_SECONDS=60, SENDING_SECONDS=4)
    held = Door(accept)
    world.wire.graph = held
    world.meta.statuses = None
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    world.workers[0].freeze()
    held.open()
    world.start_worker()
    world.wait(lambda: world.replies[0]["status"] == "uncertain")
    world.workers[0].thaw()
    world.wait(lambda: world.replies[0]["status"] == "sent")
    world.judge(statuses=False)
    assert len(world.wire.of("send")) == 1
    assert world.one("SELECT needs_person FROM conversations") == ""


def test_a_worker_that_froze_before_a_refusal_records_it(worlds: Worlds) -> None:
    world = worlds(GRAPH_SECONDS=60, SENDING_SECONDS=4)
    held = Door(always(graph_error(130429)))
    world.wire.graph = held
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    world.workers[0].freeze()
    held.open()
    world.wire.graph = accept
    world.start_worker()
    world.wait(lambda: world.replies[0]["status"] == "uncertain")
    world.workers[0].thaw()
    world.wait(lambda: world.replies[0]["status"] == "failed")
    world.judge()
    assert len(world.wire.of("send")) == 1
    assert "was not sent" in world.one("SELECT needs_person FROM conversations")


def test_sigterm_lets_the_running_turns_finish(worlds: Worlds) -> None:
    world = worlds(TURN_LEASE_SECONDS=60)
    world.wire.model = slow(2, answer)
    world.start()
    world.meta.deliver(*(inbound(said("Hello", customer=f"{n}")) for n in range(1000, 1010)))
    world.wait(lambda: len(world.wire.of("model")) == 10)
    asked = time.monotonic()
    world.workers[0].terminate()
    assert world.workers[0].wait(60) == 0
    assert time.monotonic() - asked < 30
    assert {turn["state"] for turn in world.turns} == {"replied"}
    world.start_worker()
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == len(world.wire.of("model")) == 10


def test_sigterm_leaves_a_turn_that_hangs_to_the_lease(worlds: Worlds) -> None:
    """The stop's limit is 30 s in production, 3 s here."""
    world = worlds(WORKER_STOP_SECONDS=3, TURN_LEASE_SECONDS=12, MODEL_ATTEMPT_SECONDS=10, MODEL_TURN_SECONDS=11)
    world.wire.model = hang
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(lambda: len(world.wire.of("model")) == 1)
    asked = time.monotonic()
    world.workers[0].terminate()
    assert world.workers[0].wait(60) == 0
    assert time.monotonic() - asked < 3 + 4
    world.wire.model = answer
    world.start_worker()
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 1


def test_two_workers_take_each_turn_once(world: World) -> None:
    world.wire.model = slow(0.2, answer)
    world.start(workers=2)
    world.meta.deliver_at_once(inbound(said("Hello", customer=f"{n}")) for n in range(1000, 1060))
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == len(world.wire.of("model")) == 60
