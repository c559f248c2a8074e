"""A row that someone keeps locked delays its own conversation, and no other."""

import psycopg
import pytest

from .conftest import Worlds
from .meta import inbound, said

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]


@pytest.mark.parametrize("row", ["conversations", "turns"])
def test_a_held_row_lock_delays_only_its_conversation(worlds: Worlds, row: str) -> None:
    """Scaled: here, the database waits half a second for a lock."""
    world = worlds(DATABASE_LOCK_TIMEOUT=0.5, TURN_QUIET_SECONDS=1)
    world.start()
    world.meta.deliver(inbound(said("Hello", customer="1001")))
    with psycopg.connect(world.database.url) as holder:
        holder.execute(f"SELECT id FROM {row} FOR UPDATE")
        others = [f"{2000 + n}" for n in range(20)]
        world.meta.deliver_at_once(inbound(said("Hello", customer=who)) for who in others)
        world.wait(lambda: {call.to for call in world.wire.accepted} == set(others), what="a neighbour had to wait")
        if row == "conversations":
            assert world.meta.post(inbound(said("again", customer="1001"))) == 503
        holder.rollback()
    world.settle()
    world.judge()
    assert {call.to for call in world.wire.accepted} == {"1001", *others}
