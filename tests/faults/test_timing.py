"""Messages that arrive while an answer is being generated, and how long a reply may take."""

import threading
import time

import pytest

from .behaviour import Door, answer, slow
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]


COVERED = """
SELECT m.id FROM conversation_messages m JOIN turns t ON t.conversation_id = m.conversation_id
WHERE m.role = 'user' AND t.outcome = 'replied' AND m.id BETWEEN t.first_message_id AND t.last_message_id ORDER BY m.id
"""
THEIRS = "SELECT id FROM conversation_messages WHERE role = 'user' ORDER BY id"


def each_answered_once(world: World) -> bool:
    return world.database.column(COVERED) == world.database.column(THEIRS)


def test_a_message_at_any_moment_of_the_models_work_is_answered_once(worlds: Worlds) -> None:
    """At 0.1, 0.2 … 3 s while a model takes 1.5 s: one reply for both, or two for one each."""
    world = worlds(TURN_QUIET_SECONDS=0.3, TURN_MAX_WAIT_SECONDS=2)
    world.wire.model = slow(1.5, answer)
    world.start(workers=2)

    def write(n: int) -> None:
        customer = f"{1000 + n}"
        world.meta.deliver(inbound(said("first", customer=customer)))
        time.sleep(n / 10)
        world.meta.deliver(inbound(said("second", customer=customer)))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(1, 31)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    world.settle()
    world.judge()
    assert world.one("SELECT count(*) FROM conversation_messages WHERE role = 'user'") == 60
    assert each_answered_once(world)
    assert max(turn["superseded"] for turn in world.turns) <= 2
    # The model saw both messages for a joint reply.
    for turn in world.turns:
        assert turn["last_message_id"] in turn["seen_messages"]


def test_a_newer_message_drops_the_draft(world: World) -> None:
    """C15"""
    held = Door(answer)
    world.wire.model = held
    world.start()
    world.meta.deliver(inbound(said("first")))
    held.wait()
    world.meta.deliver(inbound(said("second")))
    world.wire.model = answer
    held.open()
    world.settle()
    world.judge()
    assert [call.text for call in world.wire.accepted] == ["Answer to [202020202020/1001] second"]
    assert [turn["superseded"] for turn in world.turns] == [1]


def test_a_customer_who_writes_on_and_on_is_answered_in_time(worlds: Worlds) -> None:
    """Every second for 30 s: the first reply within max_wait + two model calls + 3 s."""
    max_wait, thinking = 5, 2
    world = worlds(TURN_QUIET_SECONDS=3, TURN_MAX_WAIT_SECONDS=max_wait)
    world.wire.model = slow(thinking, answer)
    world.start()
    began = time.monotonic()
    for n in range(30):
        world.meta.deliver(inbound(said(f"{n}")))
        time.sleep(max(0.0, began + n + 1 - time.monotonic()))
    world.settle()
    world.judge()
    first = world.wire.accepted[0].at - began
    assert first < max_wait + 2 * thinking + 3
    assert 2 <= len(world.wire.accepted) <= 8
    assert each_answered_once(world)
