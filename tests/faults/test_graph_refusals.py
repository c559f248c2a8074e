"""Graph refuses: the table's waits apply, others are unaffected, and nothing is sent twice."""

import itertools
import time

import pytest

from .behaviour import accept, always, by_place, graph_error
from .conftest import Worlds
from .meta import NUMBER, Statuses, inbound, said
from .wire import Call, Reply
from .world import World, encrypted

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
OTHER = "777"
PAUSE = "SELECT max(step) FROM pauses WHERE scope = %s"
NEW_TOKEN = f"""
from conversations.outbox import queue as outbox
from whatsapp.models import WhatsAppAccount
account = WhatsAppAccount.objects.get(phone_number_id="{NUMBER}")
account.access_token = "new-token-{NUMBER}"
account.save(update_fields=["access_token"])
outbox.resume(account.phone_number_id)
"""


def ask(world: World, customers: int, number: str = NUMBER, first: int = 1000) -> None:
    world.meta.deliver_at_once(
        inbound(said("Hello", customer=f"{first + n}", number=number), number=number) for n in range(customers)
    )


def sent(world: World, number: str) -> int:
    return sum(call.place == number for call in world.wire.accepted)


class Throttle:
    """Refuses with a code until it's switched off."""

    def __init__(self, code: int) -> None:
        self.code, self.is_on = code, True

    async def __call__(self, call: Call) -> Reply:
        return graph_error(self.code) if self.is_on else await accept(call)


def test_a_throttled_number_holds_back_and_the_others_do_not(worlds: Worlds) -> None:
    """130429 for 20 s with 200 replies waiting; pauses of 1, 2, 4, 8, 16 s; the scale is a quarter."""
    world = worlds(RETRY_TIME_SCALE=0.25)
    world.add_tenant(OTHER)
    throttle = Throttle(130429)
    world.wire.graph = by_place({NUMBER: throttle}, accept)
    world.start()
    ask(world, 200)
    world.wait(lambda: len(world.replies) == 200 and world.wire.of("send", NUMBER))
    began = time.monotonic()
    ask(world, 20, OTHER)
    world.wait(lambda: sent(world, OTHER) == 20, what="the other tenant was held back")
    world.wait(lambda: time.monotonic() - began > 0.25 * 20)
    step = world.one(PAUSE, f"number:{NUMBER}")
    throttle.is_on = False
    assert sent(world, NUMBER) == 0
    assert step >= 3
    # Long enough for any pause: 30 s is the longest.
    world.wait(lambda: sent(world, NUMBER) == 200, seconds=0.25 * 30 + 120)
    world.settle()
    world.judge()
    assert world.one("SELECT count(*) FROM pauses") == 0
    refused = [call.opaque for call in world.wire.of("send", NUMBER) if not call.wamid]
    # A message is refused at most once per step: it waits for the end of the pause.
    assert max(refused.count(key) for key in set(refused)) <= step
    assert world.one("SELECT max(attempts) FROM conversation_messages") == 0
    assert {row["status"] for row in world.replies} == {"delivered"}


def test_a_throttled_pair_waits_longer_and_longer_alone(worlds: Worlds) -> None:
    """131056: 1, 4, 16, 64, 256 s, then failed; a hundredth of it here."""
    world = worlds(RETRY_TIME_SCALE=0.01)

    async def pair(call: Call) -> Reply:
        return graph_error(131056) if call.to == "1000" else await accept(call)

    world.wire.graph = pair
    world.start()
    ask(world, 20)
    world.wait(lambda: sent(world, NUMBER) == 19, what="the others were held back")
    world.settle()
    world.judge()
    times = [call.at for call in world.wire.of("send") if call.to == "1000"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= wait / 100 for gap, wait in zip(gaps, (1, 4, 16, 64, 256), strict=True))
    assert world.one("SELECT needs_person FROM conversations WHERE external_id = '1000'") != ""
    assert [row["status"] for row in world.replies].count("failed") == 1


def test_a_refused_token_holds_its_number_until_it_is_changed(worlds: Worlds) -> None:
    """190: one request, a pause, an alert for operators; then everything still in the window is sent, in order."""
    world = worlds(RETRY_TIME_SCALE=0.05)
    world.add_tenant(OTHER)
    world.wire.graph = by_place({NUMBER: always(graph_error(190, 401))}, accept)
    world.start()
    ask(world, 1)
    world.wait(lambda: world.one("SELECT count(*) FROM pauses") == 1)
    ask(world, 30, first=1001)
    ask(world, 10, OTHER)
    world.wait(lambda: sent(world, OTHER) == 10 and len(world.replies) == 41)
    world.settle(unfinished=31)
    assert len(world.wire.of("send", NUMBER)) == 1
    assert world.one("SELECT count(*) FROM conversations WHERE needs_person <> ''") >= 1
    world.workers[0].wait_for("stopped sending")
    late = "UPDATE conversations SET last_inbound_at = now() - interval '25 hours' WHERE external_id = '1007'"
    world.database.execute(late)
    world.wire.graph = accept
    world.run(NEW_TOKEN)
    world.settle()
    world.judge()
    assert sent(world, NUMBER) == 30
    closed = world.rows("SELECT status, error_code FROM conversation_messages WHERE status = 'failed'")
    assert [(row["status"], row["error_code"]) for row in closed] == [("failed", 131047)]


def test_a_token_changed_in_the_database_alone_is_noticed(worlds: Worlds) -> None:
    """Without the admin, messages are retried after their own wait (skipped here by editing the rows)."""
    world = worlds()
    world.wire.graph = always(graph_error(190, 401))
    world.start()
    ask(world, 5)
    world.wait(lambda: world.one("SELECT count(*) FROM pauses") == 1)
    world.settle(unfinished=5)
    world.wire.graph = accept
    world.database.execute("UPDATE whatsapp_accounts SET access_token = %s", encrypted(f"new-token-{NUMBER}"))
    world.database.execute("UPDATE conversation_messages SET next_attempt_at = now() WHERE status = 'queued'")
    world.settle()
    world.judge()
    assert sent(world, NUMBER) == 5


def test_a_closed_window_is_reported_and_not_retried(world: World) -> None:
    """131047"""

    async def closed(call: Call) -> Reply:
        return graph_error(131047) if call.to == "1000" else await accept(call)

    world.wire.graph = closed
    world.start()
    ask(world, 10)
    world.settle()
    world.judge()
    assert len(world.wire.of("send")) == 10
    assert sent(world, NUMBER) == 9
    assert "24-hour window" in world.one("SELECT needs_person FROM conversations WHERE external_id = '1000'")


def test_an_error_after_which_it_was_sent_anyway_is_settled_by_its_status(world: World) -> None:
    """131000: wait for a status before trying again."""

    async def confused(call: Call) -> Reply:
        return Reply(500, graph_error(131000).body, accept=True)

    world.meta.statuses = Statuses(("sent",), delay=0.5)
    world.wire.graph = confused
    world.start()
    ask(world, 10)
    world.settle()
    world.judge()
    assert len(world.wire.of("send")) == 10
    assert {row["status"] for row in world.replies} == {"sent"}
