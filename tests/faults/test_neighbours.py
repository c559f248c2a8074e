"""One part of the system misbehaves, and the others don't notice: an endpoint, a recurring function, a colleague."""

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from .conftest import Worlds
from .meta import NUMBER, inbound, said
from .world import World, encrypted

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
REPLY = """
from django.contrib.auth.models import User
from conversations import models, replies
person = User.objects.get(username={name!r})
try:
    replies.reply(models.Conversation.objects.get().pk, person, "From {name}")
    print("sent")
except replies.ReplyRefused as refusal:
    print(refusal)
"""


def test_a_webhook_endpoint_that_hangs_delays_neither_replies_nor_other_endpoints(worlds: Worlds) -> None:
    world = worlds(WEBHOOKS_ALLOW_PRIVATE="true")
    hung: list[str] = []
    received: list[str] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung.append(str(writer.get_extra_info("peername")))
        try:
            await asyncio.sleep(3600)
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:"))
        received.append(json.loads(await reader.readexactly(length))["id"])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    for serve in (hang, accept):
        world.database.insert(
            "webhook_endpoints",
            tenant_id=world.one("SELECT id FROM tenants"),
            url=f"http://127.0.0.1:{world.wire.listen(serve)}/",
            event_types=["message.received"],
            secret=encrypted("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            is_active=True,
        )
    world.start()
    customers = [f"{1000 + n}" for n in range(100)]
    world.meta.deliver_at_once(inbound(said("Hello", customer=who)) for who in customers)
    world.wait(lambda: len(received) >= 100, what="the good endpoint had to wait")
    world.settle()
    world.judge()
    assert {call.to for call in world.wire.accepted} == set(customers)
    assert len(set(received)) == 100
    assert hung, "nothing was sent to the endpoint that hangs"
    assert world.one("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == 100


def test_a_recurring_function_that_raises_delays_nothing_else(world: World) -> None:
    """The database refuses what removes files, and everything else goes on: here, finding an abandoned file."""
    world.database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'data_exception'; END $$;"
        "CREATE TRIGGER refuse BEFORE UPDATE ON files_to_remove EXECUTE FUNCTION refuse();"
        "INSERT INTO files_to_remove (name, remove_at) VALUES ('left-behind', now() - interval '1 hour')"
    )
    world.start()
    world.workers[0].wait_for("remove_unowned failed")
    world.meta.deliver(*(inbound(said("Hello", customer=f"{1000 + n}")) for n in range(10)))
    world.settle()
    world.judge()
    assert len(world.wire.accepted) == 10
    assert world.workers[0].is_running


def test_of_two_people_who_reply_at_once_one_is_refused(world: World) -> None:
    world.start()
    world.meta.deliver(inbound(said("Hello")))
    world.settle()
    for name in ("Ada", "Bo"):
        world.run(
            "from django.contrib.auth.models import User; from tenants.models import Membership, Tenant\n"
            f"Membership.objects.create(user=User.objects.create(username={name!r}), tenant=Tenant.objects.get(),"
            " role='operator')"
        )
    said_to: dict[str, str] = {}

    def replying(name: str) -> Callable[[], None]:
        return lambda: said_to.update({name: world.run(REPLY.format(name=name))})

    threads = [threading.Thread(target=replying(name)) for name in ("Ada", "Bo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.settle()
    world.judge()
    winner = next(name for name, answer in said_to.items() if answer == "sent")
    loser = "Bo" if winner == "Ada" else "Ada"
    assert said_to[loser] == f"{winner} is handling this conversation. Take over to reply."
    assert [call.text for call in world.wire.accepted if call.place == NUMBER][1:] == [f"From {winner}"]
