"""Rows are the truth: without a notification, and without any job, what is due is found within a second."""

import pytest

from .behaviour import accept, always, graph_error
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
UNANNOUNCED = """
WITH c AS (
    INSERT INTO conversations (tenant_id, phone_number_id, external_id, last_inbound_at)
    SELECT t.id, '202020202020', n::text, now() FROM tenants t, generate_series(10000, 11199) n
    WHERE t.slug = 't202020202020' RETURNING id, external_id, tenant_id
), m AS (
    INSERT INTO conversation_messages (conversation_id, role, origin, text, external_id)
    SELECT id, 'user', 'customer', '[202020202020/' || external_id || '] Hello', 'wamid.' || external_id FROM c
    RETURNING id, conversation_id
)
INSERT INTO turns (tenant_id, conversation_id, first_message_id, last_message_id, due_at, latest_due_at)
SELECT c.tenant_id, m.conversation_id, m.id, m.id, now() - interval '1 hour', now() - interval '1 hour'
FROM m JOIN c ON c.id = m.conversation_id
"""
QUEUED = "SELECT count(*) FROM conversation_messages WHERE status = 'queued'"


def test_a_backlog_that_no_one_announced_is_answered(world: World) -> None:
    """C3: 1,200 due turns were stored while no worker listened."""
    world.meta.statuses = None
    world.start_worker()
    world.workers[0].wait_for("worker: started")
    world.database.execute(UNANNOUNCED)
    world.settle(400)
    world.judge(statuses=False)
    assert len(world.wire.accepted) == 1200
    # A reply doesn't wait until all the others are written.
    asked = [call.at for call in world.wire.of("model")]
    assert world.wire.accepted[100].at < max(asked)


def test_without_jobs_replies_go_out_in_order(worlds: Worlds) -> None:
    """Replies wait in the outbox, a second burst waits for its answer; then the worker dies and all jobs are gone."""
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
