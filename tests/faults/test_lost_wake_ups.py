"""Jobs are wake-ups, rows are the truth: without any job, all is found by the sweep."""

import pytest

from .behaviour import Door, accept, always, answer, graph_error
from .conftest import Worlds
from .meta import inbound, said
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
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
    world.settle(90)
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
