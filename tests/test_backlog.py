"""Customers' files wait in a backlog that businesses share fairly, and that costs little to look into."""

import asyncio
from collections.abc import Iterator
from copy import copy
from uuid import uuid4

from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models.functions import Now

from conversations.models import Attachment, Conversation, ConversationMessage
from runtime.backlog import _CLAIM
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Json, Stage
from whatsapp.media import fetching


def test_the_files_of_one_business_do_not_delay_those_of_another(stage: Stage) -> None:
    businesses = TwoBusinesses()
    ours = [waiting_file(businesses.ours) for _ in range(30)]
    theirs = waiting_file(businesses.theirs)
    started: list[int] = []
    end = asyncio.Event()

    async def hang(attachment_id: int) -> None:
        started.append(attachment_id)
        await end.wait()

    async def work() -> None:
        running = {asyncio.create_task(fetching.BACKLOG.run(hang)) for _ in range(20)}
        while len(running) > fetching.BACKLOG.at_once + 1:
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert sorted(started) == sorted([*ours[: fetching.BACKLOG.at_once], theirs])
        assert started.index(theirs) == 1, "the business with the fewest files under way is next"
        end.set()
        await asyncio.gather(*running)

    async_to_sync(work)()


def waiting_file(tenant: Tenant) -> int:
    talk = Conversation.objects.create(tenant=tenant, phone_number_id=f"number-{tenant.pk}", external_id=uuid4().hex)
    asked = ConversationMessage.objects.create(conversation=talk, role="user", kind="document", text="")
    row = Attachment.objects.create(message=asked, tenant=tenant, kind="document", next_attempt_at=Now())
    return row.pk


def test_the_claim_reads_a_few_rows_of_a_long_backlog(stage: Stage) -> None:
    business = Tenant.objects.single()
    message_id = Attachment.objects.get(pk=waiting_file(business)).message_id
    rows = [Attachment(message_id=message_id, tenant=business, kind="document", next_attempt_at=Now())] * 2000
    Attachment.objects.bulk_create([copy(row) for row in rows])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE attachments")
        cursor.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {fetching.BACKLOG._sql(_CLAIM)}", fetching.BACKLOG._parameters()
        )
        (plan,) = cursor.fetchone()
    nodes = list(nodes_of(plan[0]["Plan"]))
    assert max(node["Actual Rows"] for node in nodes) < 10
    assert "Seq Scan on attachments" not in {f"{node['Node Type']} on {node.get('Relation Name')}" for node in nodes}


def nodes_of(plan: Json) -> Iterator[Json]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)
