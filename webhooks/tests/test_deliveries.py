"""Events reach their subscribers: signed, retried until accepted, and eventually given up."""

import asyncio
import datetime as dt
import threading
import time
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.contrib.django.utils import connector_params

from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from webhooks import delivery as deliveries
from webhooks import signature, tasks
from webhooks.delivery import Attempt
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint, WebhookEvent
from webhooks.recording import BACKLOG, EventDraft, record_all
from webhooks.tests.receiver import Receiver, receiving, record
from webhooks.wire import Answer

SECRET = signature.new_secret()
PAYLOAD = {"conversation": {"id": 1}, "reason": "Größe?"}


def endpoint(
    url: str, tenant: Tenant | None = None, types: tuple[EventType, ...] = tuple(EventType)
) -> WebhookEndpoint:
    tenant = tenant or Tenant.objects.single()
    return WebhookEndpoint.objects.create(tenant=tenant, url=url, event_types=list(types), secret=SECRET)


def test_it_is_signed_and_says_what_happened(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    assert record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD) == 1
    stage.work()
    ((headers, body),) = receiver.got
    event = WebhookEvent.objects.get()
    assert receiver.told == [
        {"id": str(event.id), "type": "needs_person", "timestamp": event.created_at.isoformat(), "data": PAYLOAD}
    ]
    assert headers["Content-Type"] == "application/json"
    assert headers["webhook-id"] == str(event.id)
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    signed = signature.sign(str(event.id), int(headers["webhook-timestamp"]), body, SECRET)
    assert headers["webhook-signature"] == signed["webhook-signature"]
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.response_code, delivery.attempts) == ("delivered", 200, 1)
    assert delivery.delivered_at


def test_it_goes_to_those_of_the_business_that_want_it(stage: Stage, receiver: Receiver) -> None:
    businesses = TwoBusinesses()
    ours = endpoint(receiver.url, businesses.ours)
    endpoint(receiver.url, businesses.theirs)
    endpoint(receiver.url, None)
    endpoint(receiver.url, businesses.ours, (EventType.LEAD_CREATED,))
    endpoint(receiver.url, businesses.ours)
    WebhookEndpoint.objects.filter(pk=endpoint(receiver.url, businesses.ours).pk).update(is_active=False)
    assert record(businesses.ours.pk, EventType.NEEDS_PERSON, PAYLOAD) == 2
    assert WebhookDelivery.objects.filter(endpoint=ours).count() == 1
    assert WebhookEvent.objects.count() == 1


def test_without_a_subscriber_nothing_is_written(stage: Stage, django_assert_num_queries: Any) -> None:
    before = ProcrastinateJob.objects.count()  # their table isn't emptied between tests
    tenant = Tenant.objects.single()
    with django_assert_num_queries(1):
        assert record(tenant.pk, EventType.NEEDS_PERSON, PAYLOAD) == 0
    assert not WebhookEvent.objects.exists()
    assert ProcrastinateJob.objects.count() == before


def test_an_event_that_happens_once_to_a_row_is_recorded_once(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    again = EventDraft(Tenant.objects.single().pk, EventType.LEAD_CREATED, {"lead": 7}, subject=7)
    assert record_all([again, again]) == 1
    assert record_all([again, EventDraft(Tenant.objects.single().pk, EventType.REPLY_SENT, {}, subject=7)]) == 1
    stage.work()
    assert sorted(receiver.types) == ["lead.created", "reply.sent"]


def test_it_is_retried_under_the_same_id_until_accepted(stage: Stage, receiver: Receiver) -> None:
    receiver.codes, receiver.body = [500, 302, 404], b"not now"
    hook = endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    assert len({event["id"] for event in receiver.told}) == 1
    delivery = WebhookDelivery.objects.get()
    assert (len(receiver.got), delivery.attempts, delivery.status, delivery.error) == (4, 4, "delivered", "")
    hook.refresh_from_db()
    assert (hook.failing_since, hook.is_active) == (None, True)


def test_the_waits_grow_and_add_up_to_a_day(stage: Stage, receiver: Receiver, settings: Any) -> None:
    assert list(deliveries.WAITS) == sorted(deliveries.WAITS)
    assert len(deliveries.WAITS) == 10
    assert 23 < sum(deliveries.WAITS) / 3600 < 25
    settings.RETRY_TIME_SCALE = 1
    receiver.codes = [500]
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert 0 < (delivery.next_attempt_at - timezone.now()).total_seconds() <= deliveries.WAITS[0]
    assert (delivery.status, delivery.response_code, delivery.error) == ("waiting", 500, "taken")


def test_it_is_eventually_given_up_and_can_be_sent_again(stage: Stage, receiver: Receiver) -> None:
    receiver.codes = [503] * 11
    hook = endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (len(receiver.got), delivery.status, delivery.response_code) == (11, "failed", 503)
    hook.refresh_from_db()
    assert hook.failing_since
    assert deliveries.send_again(WebhookDelivery.objects.all()) == 1
    assert deliveries.send_again(WebhookDelivery.objects.all()) == 0, "it waits already"
    stage.work()
    delivery.refresh_from_db()
    assert (len(receiver.got), delivery.status, delivery.attempts) == (12, "delivered", 1)


@pytest.mark.parametrize(("code", "days", "words"), [(410, 0, "410 Gone"), (500, 4, "for 3 days")])
def test_an_endpoint_that_is_gone_or_fails_for_days_is_disabled(
    stage: Stage, receiver: Receiver, settings: Any, code: int, days: int, words: str
) -> None:
    settings.RETRY_TIME_SCALE = 1
    receiver.codes = [code]
    hook = endpoint(receiver.url)
    WebhookEndpoint.objects.update(failing_since=timezone.now() - dt.timedelta(days=days) if days else None)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    hook.refresh_from_db()
    assert not hook.is_active
    assert words in hook.disabled_reason
    assert WebhookDelivery.objects.get().status == "failed"
    assert record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD) == 0


def test_deliveries_to_a_disabled_endpoint_are_given_up(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    WebhookEndpoint.objects.update(is_active=False)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (receiver.got, delivery.status, delivery.error) == ([], "failed", "The endpoint is disabled.")


def test_a_delivery_whose_job_was_lost_is_found(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    assert tasks.find_due() == 0, "its job is waiting"
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert tasks.find_due() == 1
    stage.work()
    assert len(receiver.got) == 1
    assert tasks.find_due() == 0


def test_when_a_worker_dies_another_sends_after_the_lease(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    lost = claim()
    assert lost
    assert claim() is None, "the lease holds"
    stage.work()
    assert receiver.got == []
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() - dt.timedelta(minutes=1))
    tasks.find_due()
    stage.work()
    assert len(receiver.got) == 1
    deliveries.settle(lost, Answer(500))  # it wakes up too late
    assert WebhookDelivery.objects.get().status == "delivered"


def claim() -> Attempt | None:
    claimed = BACKLOG.claim()
    return deliveries.attempt(claimed[1]) if claimed else None


def test_a_hanging_endpoint_holds_few_jobs_and_delays_no_other(stage: Stage, settings: Any) -> None:
    settings.WEBHOOK_SECONDS = 60
    with receiving() as hanging, receiving() as quick:
        settings.WEBHOOKS_ALLOW_PRIVATE = True
        release = hanging.hold = threading.Event()
        businesses = TwoBusinesses()
        endpoint(hanging.url, businesses.ours)
        endpoint(quick.url, businesses.theirs)
        record_all([EventDraft(businesses.ours.pk, EventType.NEEDS_PERSON, PAYLOAD)] * 30)
        record_all([EventDraft(businesses.theirs.pk, EventType.NEEDS_PERSON, PAYLOAD)] * 3)

        async def work() -> None:
            running = {asyncio.create_task(tasks.deliver.func()) for _ in range(25)}
            assert await asyncio.to_thread(hanging.wait, BACKLOG.at_once)
            while len(running) > BACKLOG.at_once:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            assert len(quick.got) == 3, "younger, and delivered while the other hangs"
            assert len(hanging.got) == BACKLOG.at_once
            release.set()
            await asyncio.gather(*running)

        async_to_sync(work)()
        assert set(WebhookDelivery.objects.values_list("attempts", flat=True)) == {0, 1}, "none was taken in vain"
        stage.work()
        assert (len(hanging.got), len(quick.got)) == (30, 3)


def test_a_job_that_finds_its_endpoint_busy_ends_and_leaves_no_other(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    monkeypatch.setitem(BACKLOG._busy, hook.pk, BACKLOG.at_once)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (receiver.got, delivery.attempts, delivery.status) == ([], 0, "waiting")
    assert not ProcrastinateJob.objects.filter(status="todo").exists()


@pytest.mark.parametrize("table", ["webhook_deliveries", "webhook_endpoints"])
@pytest.mark.parametrize("code", [200, 500])
def test_a_held_row_lock_does_not_stop_a_worker(stage: Stage, receiver: Receiver, table: str, code: int) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    attempt = claim()
    assert attempt
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 1")
    try:
        with psycopg.connect(**connector_params()) as other:
            other.execute(f"SELECT FROM {table} FOR NO KEY UPDATE")
            deliveries.settle(attempt, Answer(code))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert (WebhookDelivery.objects.get().response_code is None) == (table == "webhook_deliveries")


def test_the_log_is_kept_for_a_month(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record_all([EventDraft(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)] * 2)
    old = WebhookEvent.objects.order_by("pk")[0]
    WebhookEvent.objects.filter(pk=old.pk).update(created_at=timezone.now() - dt.timedelta(days=31))
    assert tasks.delete_old_events() == 1
    assert WebhookEvent.objects.count() == WebhookDelivery.objects.count() == 1
    assert WebhookEvent.objects.get() != old


def test_a_receiver_that_hangs_is_given_up_in_time(stage: Stage, receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOK_SECONDS, settings.RETRY_TIME_SCALE = 0.2, 1
    receiver.hold = threading.Event()
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.response_code) == ("waiting", None)
    assert "No complete response" in delivery.error
