"""Graph accepts the connection and doesn't respond, and status webhooks arrive in any order."""

import random

import pytest

from .behaviour import accept, cut
from .meta import NUMBER, Statuses, inbound, said, status
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
STATES = "SELECT status, count(*) FROM conversation_messages WHERE role = 'assistant' GROUP BY status"


def states(world: World) -> dict[str, int]:
    return {row["status"]: row["count"] for row in world.rows(STATES)}


def ask(world: World, customers: int) -> None:
    world.meta.deliver_at_once(inbound(said("Hello", customer=f"{1000 + n}")) for n in range(customers))


def test_a_hundred_accepted_without_an_answer_are_sent_when_their_statuses_come(world: World) -> None:
    world.wire.graph = cut(accepting=True)
    world.meta.statuses = Statuses(("sent",), delay=1)
    world.start()
    ask(world, 100)
    world.settle()
    world.judge()
    assert states(world) == {"sent": 100}
    assert len(world.wire.of("send")) == 100
    assert world.one("SELECT count(*) FROM conversations WHERE needs_person <> ''") == 0


def test_a_hundred_not_accepted_are_uncertain_and_never_sent_again(world: World) -> None:
    world.wire.graph = cut(accepting=False)
    world.start()
    ask(world, 100)
    world.settle()
    world.judge()
    assert states(world) == {"uncertain": 100}
    assert len(world.wire.of("send")) == 100
    assert world.one("SELECT count(*) FROM conversations WHERE needs_person <> ''") == 100


def test_statuses_in_any_order_and_number_end_at_the_furthest(world: World) -> None:
    world.meta.statuses = None
    world.start()
    ask(world, 30)
    world.settle()
    expected = {}
    ways = [("sent",), ("sent", "delivered"), ("read",), ("sent", "read"), ("failed",), ("failed", "delivered")]
    bodies = []
    for call, words in zip(world.wire.accepted, ways * 5, strict=True):
        expected[call.opaque] = max(words, key=["sent", "failed", "delivered", "read"].index)
        bodies += [status(word, call) for word in words * 3]
    random.shuffle(bodies)
    world.meta.deliver_at_once(bodies)
    world.judge(statuses=False)
    assert {str(row["id"]): row["status"] for row in world.replies} == expected
    read = [row for row in world.replies if row["status"] == "read"]
    assert all(row["read_at"] for row in read)


def test_statuses_of_another_number_change_nothing(world: World) -> None:
    """I5: the ID is ours, but the delivery's number is another tenant's."""
    world.add_tenant("777")
    world.meta.statuses = None
    world.start()
    ask(world, 1)
    world.settle()
    call = world.wire.accepted[0]
    call.place = "777"
    world.meta.deliver(status("read", call))
    call.place = NUMBER
    assert states(world) == {"sent": 1}


def test_statuses_that_overtake_the_answer_are_kept(world: World) -> None:
    world.wire.graph = accept
    world.meta.statuses = Statuses(("read", "delivered", "sent"), delay=0, shuffled=True, times=3)
    world.start()
    ask(world, 30)
    world.settle()
    world.judge()
    assert states(world) == {"read": 30}
