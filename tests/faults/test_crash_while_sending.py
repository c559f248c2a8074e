"""The worker dies while a reply is being sent: it's never sent twice, and never silently lost."""

import asyncio

import pytest

from .behaviour import accept, completion, graph_error
from .conftest import Worlds
from .meta import inbound, said, tagged
from .processes import Process
from .wire import Behaviour, Call, Reply
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
LONG = [tagged(letter * 3000, "1001") for letter in "abc"]


def killing(worker: list[Process], accepting: bool) -> Behaviour:
    """Kill the worker once, after its request was read and before the response."""

    async def behave(call: Call) -> Reply:
        if not worker:
            return await accept(call)
        await asyncio.to_thread(worker.pop().kill)
        return Reply(accept=accepting, cut=True)

    return behave


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds(GRAPH_SECONDS=2, SENDING_SECONDS=4)


def sent_as(world: World) -> list[str]:
    return [row["status"] for row in world.replies]


def ask(world: World) -> None:
    world.meta.deliver(inbound(said("Hello")))


def settled_with_its_status(world: World) -> None:
    """Settled as soon as the status delivery was answered, not seconds later."""
    world.wait(lambda: world.wire.accepted and world.meta.statuses_open == 0)
    assert sent_as(world) == ["delivered"]


def test_dead_before_the_first_byte_is_uncertain_and_flagged(world: World) -> None:
    """C9"""
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT="C9")
    world.wait_for_web()
    ask(world)
    world.wait(lambda: not died.is_running, what="no process died")
    world.start_worker()
    world.settle()
    world.judge()
    assert sent_as(world) == ["uncertain"]
    assert world.wire.of("send") == []
    assert "may not have been delivered" in world.one("SELECT needs_person FROM conversations")


@pytest.mark.slow
@pytest.mark.parametrize("accepting", [True, False])
def test_dead_after_the_bytes_is_settled_by_the_status(world: World, accepting: bool) -> None:
    """C10. If Graph didn't accept it, no status arrives, and the conversation is flagged."""
    assert world.meta.statuses
    world.meta.statuses.delay = 3
    world.start()
    world.wire.graph = killing(world.workers[:], accepting)
    ask(world)
    world.wait(lambda: not world.workers[0].is_running, what="no process died")
    world.start_worker()
    if accepting:
        settled_with_its_status(world)
    world.settle()
    world.judge()
    assert sent_as(world) == (["delivered"] if accepting else ["uncertain"])
    assert len(world.wire.of("send")) == 1
    assert (world.one("SELECT needs_person FROM conversations") == "") == accepting


@pytest.mark.parametrize("point", ["C11", pytest.param("C24", marks=pytest.mark.slow)])
def test_dead_before_the_response_is_recorded_is_settled_by_the_status(world: World, point: str) -> None:
    """C11 and C24 (in the recording transaction); the status comes only after the message has become uncertain."""
    world.meta.statuses_held = True
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT=point)
    world.wait_for_web()
    ask(world)
    world.wait(lambda: not died.is_running, what="no process died")
    world.start_worker()
    world.wait(lambda: sent_as(world) == ["uncertain"])
    world.meta.statuses_held = False
    settled_with_its_status(world)
    world.settle()
    world.judge()
    assert sent_as(world) == ["delivered"]
    assert len(world.wire.of("send")) == 1
    # The flag is cleared.
    assert world.one("SELECT needs_person FROM conversations") == ""


@pytest.mark.slow
def test_a_status_before_its_wamid_is_known_finds_the_message(world: World) -> None:
    """C12"""

    async def late(call: Call) -> Reply:
        call.wamid = "wamid.early"
        world.wire.spawn(world.meta.follow(call))
        state = "SELECT status FROM conversation_messages WHERE id = %s"
        while world.one(state, call.opaque) != "delivered":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return Reply(body={"messages": [{"id": call.wamid}]})

    world.wire.graph = late
    world.start()
    ask(world)
    world.settle()
    world.judge()
    assert [(row["status"], row["external_id"]) for row in world.replies] == [("delivered", "wamid.early")]


@pytest.mark.slow
def test_a_long_reply_goes_on_at_the_part_that_was_not_sent(worlds: Worlds) -> None:
    """C13: part 1 is sent, part 2 waits, the worker dies."""
    world = worlds(RETRY_TIME_SCALE=1)

    async def first_only(call: Call) -> Reply:
        return await accept(call) if call.text == LONG[0] else graph_error(130429)

    async def long_answer(call: Call) -> Reply:
        return completion("\n\n".join(LONG))

    world.wire.model, world.wire.graph = long_answer, first_only
    world.start()
    ask(world)
    world.wait(lambda: len(world.wire.of("send")) == 2 and sent_as(world)[1] == "queued")
    world.workers[0].kill()
    world.wire.graph = accept
    world.start_worker()
    world.settle()
    world.judge()
    assert [call.text for call in world.wire.accepted] == LONG


@pytest.mark.slow
def test_a_part_whose_worker_died_does_not_hold_up_the_others_forever(world: World) -> None:
    async def long_answer(call: Call) -> Reply:
        return completion("\n\n".join(LONG))

    world.wire.model = long_answer
    world.start()
    world.wire.graph = killing(world.workers[:], accepting=True)
    ask(world)
    world.wait(lambda: not world.workers[0].is_running, what="no process died")
    world.start_worker()
    world.settle()
    world.judge()
    assert [call.text for call in world.wire.accepted] == LONG
