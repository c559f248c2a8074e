"""A burst at one business doesn't hold up its neighbour, from the webhook to the reply."""

import itertools
from typing import Any

import httpx2
import pytest

from conversations.models import ConversationMessage
from tenants.models import Tenant
from tests.stage import Json, Stage, completion
from whatsapp.models import WhatsAppAccount
from whatsapp.tests.factories import inbound, text_message

BURST, SLOTS = 120, 8
BUSY, QUIET = "1001", "2002"


@pytest.fixture
def slots(stage: Stage, settings: Any) -> int:
    """Two businesses, and a worker with few slots: a burst fills them many times over."""
    settings.MULTITENANT_ENABLED = True
    settings.WORKER_CONCURRENCY = SLOTS
    for number in (BUSY, QUIET):
        tenant = Tenant.objects.create(name=number, slug=number)
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=number, access_token="t")
    return SLOTS


def write(stage: Stage, number: str, count: int = 1) -> None:
    messages = [text_message(f"to {number}", sender=f"7900{n:07}") for n in range(count)]
    assert stage.post(inbound(*messages, phone_number_id=number, contacts=[])).json() == {"ok": True}


def test_the_neighbour_is_answered_while_the_burst_waits(stage: Stage, slots: int) -> None:
    write(stage, BUSY, BURST)
    burst = itertools.count(1)

    def model(body: Json) -> httpx2.Response:
        if next(burst) == BURST // 4:
            write(stage, QUIET)  # in the middle of the burst
        return completion(f"Answer {body['messages'][-1]['content']}")

    stage.wire.model = model
    stage.work()
    asked = [body["messages"][-1]["content"] for body in stage.wire.asked]
    assert len(asked) == BURST + 1
    # Asked as soon as slots became free, not after the burst.
    assert asked.index(f"to {QUIET}") <= BURST // 4 + 2 * slots


def test_the_neighbours_reply_is_sent_while_the_bursts_replies_wait(stage: Stage, slots: int) -> None:
    write(stage, BUSY, BURST)
    write(stage, QUIET)
    stage.work()
    assert len(stage.wire.texts) == BURST + 1
    assert stage.wire.texts.index(f"Answer to to {QUIET}") <= 2 * slots
    assert set(ConversationMessage.objects.filter(role="assistant").values_list("status", flat=True)) == {"sent"}
