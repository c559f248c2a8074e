"""Jobs are wake-ups, rows are the truth: without any job, all is found by the sweep."""

import pytest

from .behaviour import Door, accept, always, answer, graph_error
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
ASLEEP = """
WITH c AS (
    INSERT INTO conversations (tenant_id, phone_number_id, external_id, last_inbound_at)
    SELECT t.id, '202020202020', n::text, now() FROM tenants t, generate_series(10000, 11199) n
    RETURNING id, external_id
), m AS (
    INSERT INTO conversation_messages (conversation_id, role, origin, text, external_id)
    SELECT id, 'user', 'customer', '[202020202020/' || external_id || '] Hello', 'wamid.' || external_id FROM c
    RETURNING id, conversation_id
)
INSERT INTO turns (conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
SELECT conversation_id, id, id, now() - interval '1 hour', now() - interval '1 hour' FROM m
"""
QUEUED = "SELECT count(*) FROM conversation_messages WHERE status = 'queued'"


def test_an_emptied_jobs_table_is_made_good_in_order(worlds: Worlds) -> None:
    """Replies wait in the outbox, a second burst waits for its answer; then all jobs are gone."""
    world = worlds(RETRY_TIME_SCALE=0.2)
    world.wire.graph = always(graph_error(130429))
    world.start()
    customers = [f"{1000 + n}" for n in range(40)]
    world.meta.deliver_at_once(inbound(said("first", customer=who)) for who in customers)
    world.wait(lambda: world.one(QUEUED) == 40)
    world.workers[0].kill()
    world.meta.deliver_at_once(inbound(said("second", customer=who), said("third", customer=who)) for who in customers)
    world.database.execute("TRUNCATE procrastinate_jobs CASCADE")
    world.wire.graph = accept
    world.start_worker()
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 80


def test_a_job_whose_worker_died_is_taken_out_of_the_queue_by_another(world: World) -> None:
    """By heartbeat, after 30 s: it is run again, finds its row done, and goes."""
    held = Door(answer)
    world.wire.model = held
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    held.wait()
    world.workers[0].kill()
    assert world.one("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 1
    world.wire.model = answer
    held.open()
    world.start_worker()
    world.settle()
    world.wait(lambda: world.one("SELECT count(*) FROM procrastinate_jobs") == 0, seconds=120)
    world.judge()
    assert len(world.wire.accepted) == 1


def test_more_than_one_sweep_takes_is_woken_at_once(worlds: Worlds) -> None:
    """1,200 turns fell asleep; the sweep takes 500 at a time, and does not wait in between."""
    world = worlds(SWEEP_SECONDS=60)
    world.meta.statuses = None
    world.database.execute(ASLEEP)
    world.start_worker()
    world.wait(lambda: world.one("SELECT count(*) FROM turns WHERE woken_at IS NULL") == 0, seconds=120)
    world.settle(400)
    world.judge(statuses=False)
    assert len(world.wire.accepted) == 1200
    # A reply does not wait for the making of all the others.
    asked = [call.at for call in world.wire.of("model")]
    assert world.wire.accepted[100].at < max(asked)
