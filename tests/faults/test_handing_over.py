"""Fifty customers ask for a person in fifteen languages; the worker dies in between. Each is flagged, once."""

from pathlib import Path

import pytest

from .behaviour import answer, calling
from .conftest import Worlds
from .meta import NUMBER, inbound, said
from .wire import Call, Reply

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]

WORDINGS = Path(__file__).parents[2] / "assistant" / "tests" / "asking_for_person.txt"
ASKING = WORDINGS.read_text(encoding="utf-8").splitlines()[::13][:50]
HAND_OVER = calling("hand_over", reason="asked", summary="Wants a person.")


async def hand_over_first(call: Call) -> Reply:
    """The model calls the tool, and replies once it has the result."""
    return await (answer if call.body["messages"][-1]["role"] == "tool" else HAND_OVER)(call)


@pytest.mark.parametrize(
    "point", ["C23", *(pytest.param(point, marks=pytest.mark.slow) for point in ("C6", "C25", "C7", "C8"))]
)
def test_each_is_flagged_once_in_the_transaction_of_the_reply(worlds: Worlds, point: str) -> None:
    world = worlds(TURN_LEASE_SECONDS=6, TURN_QUIET_SECONDS=0)
    world.database.insert(
        "webhook_endpoints",
        tenant_id=world.one("SELECT id FROM tenants"),
        url="https://127.0.0.1:9/",
        secret="",
        event_types=["needs_person"],
        is_active=True,
    )
    world.wire.model = hand_over_first
    world.start_web(wait=False)
    died = world.start_worker(CRASH_POINT=point)
    world.wait_for_web()
    asking = [said(text, customer=f"{2000 + number}") for number, text in enumerate(ASKING)]
    assert len(asking) == 50
    world.meta.deliver(*(inbound(*asking[start : start + 10], number=NUMBER) for start in range(0, 50, 10)))
    world.wait(lambda: not died.is_running, what="no process died")
    world.start_worker()
    world.settle()
    flagged = "SELECT count(*) FROM conversations WHERE needs_person = 'Asked for a person'"
    assert world.one(flagged) == 50
    assert world.one("SELECT count(DISTINCT conversation_id) FROM turns WHERE outcome = 'replied'") == 50
    # The row version of each conversation is the one that the transaction wrote which ended its turn.
    together = "SELECT count(*) FROM conversations c JOIN turns t ON t.conversation_id = c.id AND t.xmin = c.xmin"
    assert world.one(together) == 50
    assert world.one("SELECT count(*) FROM webhook_events WHERE type = 'needs_person'") == 50, "flagged twice"
    assert len(world.wire.accepted) == 50
