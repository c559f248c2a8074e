"""The process dies right after one of the named points, and is started again."""

import pytest

from .behaviour import answer, calling, in_turn
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


def burst() -> list[dict[str, object]]:
    return [inbound(said("first"), said("second")), inbound(said("third"))]


def answered_once(world: World) -> None:
    world.settle()
    world.judge()
    assert [row["status"] in ("sent", "delivered") for row in world.replies] == [True]
    assert len(world.wire.accepted) == 1
    assert world.one("SELECT count(*) FROM conversation_messages WHERE role = 'user'") == 3


@pytest.mark.parametrize("point", ["C1", pytest.param("C2", marks=pytest.mark.slow), "C4", "C20", "C21", "C22"])
def test_a_web_process_that_dies_at_the_point_is_followed_by_one_reply(world: World, point: str) -> None:
    web = world.start_web(CRASH_POINT=point)
    for body in burst():
        world.meta.deliver(body)
    assert (world.folder / "latch").exists(), "no process died"
    assert world.meta.answers[0][0] == 0
    assert web.is_running
    world.start_worker()
    answered_once(world)


@pytest.mark.parametrize("point", ["C6", pytest.param("C7", marks=pytest.mark.slow), "C23", "C8"])
def test_a_worker_that_dies_at_the_point_is_followed_by_one_reply(worlds: Worlds, point: str) -> None:
    world = worlds(TURN_LEASE_SECONDS=4)
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT=point)
    world.wait_for_web()
    world.meta.deliver(*burst())
    world.wait(lambda: not died.is_running, what="no process died")
    asked = len(world.wire.of("model"))
    world.start_worker()
    answered_once(world)
    # At most one model call is wasted by a crash; none when the reply was stored already.
    again = len(world.wire.of("model")) - asked
    assert again == (0 if point == "C8" else 1)


def test_a_worker_that_dies_after_a_step_is_followed_by_one_that_goes_on_from_it(worlds: Worlds) -> None:
    """C25"""
    world = worlds(TURN_LEASE_SECONDS=4)
    world.wire.model = in_turn(calling("hand_over", reason="complaint", summary="The cake was late."), answer)
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT="C25")
    world.wait_for_web()
    world.meta.deliver(*burst())
    world.wait(lambda: not died.is_running, what="no process died")
    world.start_worker()
    answered_once(world)
    assert len(world.wire.of("model")) == 2, "the first answer isn't asked for again"
    assert world.one("SELECT handover_summary FROM conversations") == "The cake was late."


@pytest.mark.slow
def test_a_poisoned_item_is_quarantined_and_its_neighbours_are_answered(world: World) -> None:
    """C5"""
    world.start()
    poison = said("poison", id="wamid.poison" + "x" * 10_000)
    world.meta.deliver(inbound(said("first"), poison, said("second")))
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 1
    assert world.one("SELECT count(*) FROM quarantined_events WHERE resolved_at IS NULL") == 1
    assert "second" in world.replies[0]["text"]
