"""Someone takes over, from the WhatsApp app or the desk, at any point of the assistant's work."""

import pytest

from .behaviour import Door, accept, answer, completion
from .conftest import Worlds
from .meta import echo, inbound, said, tagged
from .wire import Call, Reply
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
AT_THE_DESK = """
from conversations import handover, models
handover.take_over(models.Conversation.objects.get().pk, None)
"""


@pytest.fixture(params=["app", "desk"])
def takes_over(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def take_over(world: World, where: str) -> None:
    if where == "app":
        world.meta.deliver(echo())
    else:
        world.run(AT_THE_DESK)


def ends(world: World) -> list[tuple[str, str]]:
    world.settle()
    world.judge()
    return [(turn["state"], turn["outcome"]) for turn in world.turns]


def test_while_the_burst_is_collected(worlds: Worlds, takes_over: str) -> None:
    world = worlds(TURN_QUIET_SECONDS=3, TURN_MAX_WAIT_SECONDS=5)
    world.start_web()
    world.meta.deliver(inbound(said("Hello")))
    take_over(world, takes_over)
    world.start_worker()  # only now, so that it doesn't matter how long taking over takes
    assert ends(world) == [("suppressed", "taken over")]
    assert world.wire.of("model") == world.wire.of("send") == []


def test_while_the_model_thinks(worlds: Worlds, takes_over: str) -> None:
    """C16"""
    world = worlds(MODEL_ATTEMPT_SECONDS=20, MODEL_TURN_SECONDS=25, TURN_LEASE_SECONDS=30)
    held = Door(answer)
    world.wire.model = held
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    take_over(world, takes_over)
    held.open()
    assert ends(world) == [("suppressed", "taken over")]
    assert world.wire.of("send") == []


def test_while_the_reply_waits_to_be_sent(world: World, takes_over: str) -> None:
    """The worker dies after closing the turn; the queued reply is no longer sent."""
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT="C8")
    world.wait_for_web()
    world.meta.deliver(inbound(said("Hello")))
    world.wait(lambda: not died.is_running, what="no process died")
    take_over(world, takes_over)
    world.start_worker()
    assert ends(world) == [("replied", "replied")]
    assert world.wire.of("send") == []
    assert [(row["status"], "took over the conversation" in row["error_detail"]) for row in world.replies] == [
        ("failed", True)
    ]


def test_while_the_first_part_is_being_sent(worlds: Worlds, takes_over: str) -> None:
    """The part that is *sending* arrives; the parts after it don't."""
    world = worlds(GRAPH_SECONDS=20, SENDING_SECONDS=30)

    async def long_answer(call: Call) -> Reply:
        return completion("\n\n".join(tagged(letter * 3000, "1001") for letter in "abc"))

    held = Door(accept)
    world.wire.model, world.wire.graph = long_answer, held
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    take_over(world, takes_over)
    held.open()
    assert ends(world) == [("replied", "replied")]
    assert [row["status"] for row in world.replies] == ["delivered", "failed", "failed"]
    assert len(world.wire.of("send")) == 1


def test_after_the_reply(world: World, takes_over: str) -> None:
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.settle()
    take_over(world, takes_over)
    world.meta.deliver(inbound(said("Are you there?")))
    assert ends(world) == [("replied", "replied")]
    assert len(world.wire.of("send")) == 1
