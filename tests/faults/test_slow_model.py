"""A slow model doesn't slow down the webhook."""

import statistics

import pytest

from . import behaviour
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
DELIVERIES = 20


def twenty_at_once(world: World, first_customer: int) -> float:
    """The median response time in seconds. (A busy machine is slow at both.)"""
    bodies = [inbound(said("Hello", customer=f"{first_customer + n}")) for n in range(DELIVERIES)]
    world.meta.deliver_at_once(bodies, threads=DELIVERIES)
    return statistics.median(took for _, took in world.meta.answers[-DELIVERIES:])


def test_20_deliveries_at_once_are_answered_as_fast_while_the_model_takes_5_seconds(world: World) -> None:
    world.start(MODEL_ATTEMPT_SECONDS=30, MODEL_TURN_SECONDS=40, TURN_LEASE_SECONDS=60)
    twenty_at_once(world, 1000)  # every thread of the webhook is warmed up now
    without = twenty_at_once(world, 2000)
    world.settle()
    world.wire.model = behaviour.slow(5, behaviour.answer)
    twenty_at_once(world, 3000)
    world.wait(lambda: sum(call.kind == "model" for call in world.wire.calls) == 3 * DELIVERIES)
    assert twenty_at_once(world, 4000) < 3 * without + 0.05
    assert len(world.wire.accepted) == 2 * DELIVERIES, "the model is still thinking"
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 4 * DELIVERIES
