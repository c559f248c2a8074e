"""Web processes and workers are replaced one after the other, as in an upgrade, while Meta delivers."""

import os
import signal
import threading
from pathlib import Path

import pytest

from .conftest import Worlds
from .meta import inbound, said
from .processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.xdist_group("faults")]

PER_PART, THREADS = 300, 4


def test_a_rolling_deploy_loses_and_refuses_nothing(worlds: Worlds) -> None:
    world = worlds(WEB_CONCURRENCY=2, TURN_QUIET_SECONDS=0, CUSTOMER_REPLIES_PER_HOUR=0)
    pid = world.folder / "web.pid"
    world.start_web(GUNICORN_CMD_ARGS=f"--pid {pid}")
    for _ in range(2):
        world.start_worker().wait_for("worker: started")
    customers = iter(range(1001, 9999))

    def deliver() -> None:
        bodies = [inbound(said("hello", str(next(customers)))) for _ in range(PER_PART)]
        world.meta.deliver_at_once(bodies, threads=THREADS)

    deliver()
    before = sorted(seconds for _, seconds in world.meta.answers)
    world.meta.answers.clear()
    load = threading.Thread(target=deliver)
    load.start()
    # As in docs/upgrading.md.
    os.kill(world.webs[0].id, signal.SIGUSR2)
    for old in world.workers[:2]:
        world.start_worker().wait_for("worker: started")
        old.terminate()
        assert old.wait(60) == 0
    following = Path(f"{pid}.2")
    wait_until(following.exists)
    new = int(following.read_text())
    try:
        wait_until(Path(f"/proc/{new}/task/{new}/children").read_text)
        world.webs[0].terminate()
        assert world.webs[0].wait(60) == 0
        load.join()
        deliver()
        world.settle()
    finally:
        os.kill(new, signal.SIGTERM)
    during = sorted(seconds for _, seconds in world.meta.answers)
    assert [status for status, _ in world.meta.answers if status != 200] == []
    assert len(world.wire.accepted) == 3 * PER_PART
    world.judge()
    p99 = [1000 * times[len(times) * 99 // 100] for times in (before, during)]
    print(f"p99 of the webhook: {p99[0]:.0f} ms before, {p99[1]:.0f} ms during the deploy")
