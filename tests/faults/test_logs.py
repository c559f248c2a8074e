"""With LOG_FORMAT=json, one ID finds a reply in the logs of every process, and nothing that was said."""

import json
from typing import Any

import pytest

from .conftest import Worlds
from .meta import inbound, said

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line]


def test_a_reply_can_be_followed_through_all_processes_by_one_id(worlds: Worlds) -> None:
    world = worlds(LOG_FORMAT="json", TURN_QUIET_SECONDS=0)
    world.start()
    world.meta.deliver(inbound(said("Do you have Kuchenbasar?", "1001")), inbound(said("Anything else?", "1002")))
    world.settle()
    world.wait(lambda: world.workers[0].output.count("sent") >= 2, what="the replies weren't logged")
    web, worker = lines(world.webs[0].output), lines(world.workers[0].output)
    for conversation in world.database.column("SELECT id FROM conversations"):
        mine = [line for line in web if line.get("conversation_id") == conversation]
        assert [line["message"] for line in mine] == [f"[WA][CHAT] conv_id={conversation} stored user msg"]
        assert len(mine[0]["delivery_id"]) == 16
        turn = world.one("SELECT id FROM turns WHERE conversation_id = %s", conversation)
        assert mine[0]["turn_id"] == turn
        reply = world.one("SELECT first_reply_id FROM turns WHERE id = %s", turn)
        theirs = [line for line in worker if line.get("conversation_id") == conversation]
        closed = next(line for line in theirs if line["message"].endswith("replied"))
        assert (closed["turn_id"], closed["message_id"]) == (turn, reply)
        sent = next(line for line in theirs if line["message"] == f"message {reply} sent")
        assert sent["message_id"] == reply
    said_here = world.webs[0].output + world.workers[0].output
    for secret in ("Kuchenbasar", "Customer 1001", "key-default", "token-", "app-secret"):
        assert secret not in said_here
