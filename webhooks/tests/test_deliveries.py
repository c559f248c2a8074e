"""An event reaches the endpoints that want it: signed, again until it is taken, given up in the end."""

import datetime as dt
import hashlib
import hmac
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage
from webhooks import delivery as deliveries
from webhooks import signature, tasks
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint, WebhookEvent
from webhooks.recording import EventDraft, record, record_all
from webhooks.tests.receiver import Receiver
from webhooks.wire import Answer

PAYLOAD = {"conversation": {"id": 1}, "reason": "Größe?"}


def endpoint(
    url: str, tenant: Tenant | None = None, types: tuple[EventType, ...] = tuple(EventType)
) -> WebhookEndpoint:
    tenant = tenant or Tenant.objects.single()
    return WebhookEndpoint.objects.create(tenant=tenant, url=url, event_types=list(types), secret="whsec_1")


def test_it_is_signed_and_says_what_happened(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    assert record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD) == 1
    stage.work()
    ((headers, body),) = receiver.got
    event = WebhookEvent.objects.get()
    assert receiver.told == [
        {"id": str(event.id), "type": "needs_person", "created_at": event.created_at.isoformat(), "data": PAYLOAD}
    ]
    assert headers["Parley-Event-Id"] == str(event.id)
    assert headers["Parley-Event-Type"] == "needs_person"
    assert headers["Content-Type"] == "application/json"
    # As docs/webhooks.md says it is verified.
    parts = dict(part.split("=", 1) for part in headers["Parley-Signature"].split(","))
    expected = hmac.new(b"whsec_1", parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], expected)
    assert abs(time.time() - int(parts["t"])) < 60
    delivery = WebhookDelivery.objects.get()
    assert (delivery.status, delivery.response_code, delivery.attempts) == ("delivered", 200, 1)
    assert delivery.delivered_at


def test_the_documents_way_to_verify_a_signature_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    recipe = text[text.index("    import hashlib") :].split("\n\nTry it")[0]
    known: dict[str, Any] = {}
    exec(textwrap.dedent(recipe), known)
    now = int(time.time())
    header = signature.sign(b"{}", "whsec_1", now)
    assert known["is_from_parley"](header, b"{}", "whsec_1")
    assert not known["is_from_parley"](header, b"{ }", "whsec_1")
    assert not known["is_from_parley"](header, b"{}", "whsec_2")
    assert not known["is_from_parley"](signature.sign(b"{}", "whsec_1", now - 600), b"{}", "whsec_1")


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


def test_where_nobody_listens_nothing_is_written(stage: Stage, django_assert_num_queries: Any) -> None:
    before = ProcrastinateJob.objects.count()  # their table is not emptied between tests
    tenant = Tenant.objects.single()
    with django_assert_num_queries(1):
        assert record(tenant.pk, EventType.NEEDS_PERSON, PAYLOAD) == 0
    assert not WebhookEvent.objects.exists()
    assert ProcrastinateJob.objects.count() == before


def test_what_happens_once_to_a_row_is_told_once(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    again = EventDraft(Tenant.objects.single().pk, EventType.LEAD_CREATED, {"lead": 7}, subject=7)
    assert record_all([again, again]) == 1
    assert record_all([again, EventDraft(Tenant.objects.single().pk, EventType.REPLY_SENT, {}, subject=7)]) == 1
    stage.work()
    assert sorted(receiver.types) == ["lead.created", "reply.sent"]


def test_it_comes_again_until_it_is_taken_under_the_same_id(stage: Stage, receiver: Receiver) -> None:
    receiver.codes, receiver.body = [500, 302, 404], b"not now"
    hook = endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    stage.work()
    assert len({event["id"] for event in receiver.told}) == 1
    delivery = WebhookDelivery.objects.get()
    assert (len(receiver.got), delivery.attempts, delivery.status, delivery.error) == (4, 4, "delivered", "")
    hook.refresh_from_db()
    assert (hook.failing_since, hook.is_active) == (None, True)


def test_the_pauses_grow_and_end_after_a_day(stage: Stage, receiver: Receiver, settings: Any) -> None:
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


def test_in_the_end_it_is_given_up_and_a_person_may_send_it_again(stage: Stage, receiver: Receiver) -> None:
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


@pytest.mark.parametrize(("code", "days", "words"), [(410, 0, "410: gone"), (500, 4, "for 3 days")])
def test_an_endpoint_that_is_gone_or_fails_for_days_is_switched_off(
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


def test_what_waits_for_an_endpoint_that_is_switched_off_is_given_up(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    WebhookEndpoint.objects.update(is_active=False)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (receiver.got, delivery.status, delivery.error) == ([], "failed", "The endpoint is switched off.")


def test_the_sweep_finds_what_fell_asleep(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    ProcrastinateJob.objects.all()._raw_delete("default")  # the wake-up is lost
    assert tasks.sweep() == 0, "not yet"
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() - dt.timedelta(minutes=1))
    assert tasks.sweep() == 1
    stage.work()
    assert len(receiver.got) == 1
    assert tasks.sweep() == 0


def test_a_worker_that_died_while_it_sent_is_followed_by_another(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    pk = WebhookDelivery.objects.get().pk
    lost = deliveries.claim(pk)
    assert lost
    assert deliveries.claim(pk) is None, "while the claim holds"
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() - dt.timedelta(minutes=1))
    tasks.sweep()
    stage.work()
    assert len(receiver.got) == 1
    deliveries.settle(lost, Answer(500))  # it wakes, too late
    assert WebhookDelivery.objects.get().status == "delivered"


def test_an_endpoint_that_hangs_leaves_places_for_the_others(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = endpoint(receiver.url)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    monkeypatch.setitem(tasks._places, hook.pk, tasks.PLACES)
    monkeypatch.setattr(deliveries, "BUSY_SECONDS", 60)
    stage.work()
    delivery = WebhookDelivery.objects.get()
    assert (receiver.got, delivery.attempts, delivery.status) == ([], 0, "waiting")
    assert ProcrastinateJob.objects.filter(args={"delivery_id": delivery.pk}, scheduled_at__gt=timezone.now()).exists()


@pytest.mark.parametrize(("failing", "longest"), [(False, 2), (True, 31)])
def test_the_rest_waits_longer_for_an_endpoint_that_takes_nothing(
    stage: Stage, receiver: Receiver, failing: bool, longest: int
) -> None:
    hook = endpoint(receiver.url)
    WebhookEndpoint.objects.filter(pk=hook.pk).update(failing_since=timezone.now() if failing else None)
    record(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)
    attempt = deliveries.claim(WebhookDelivery.objects.get().pk)
    assert attempt is not None
    deliveries.release(attempt)
    wait = (WebhookDelivery.objects.get().next_attempt_at - timezone.now()).total_seconds()
    assert longest - 10 < wait < longest


def test_the_log_is_kept_for_a_month(stage: Stage, receiver: Receiver) -> None:
    endpoint(receiver.url)
    record_all([EventDraft(Tenant.objects.single().pk, EventType.NEEDS_PERSON, PAYLOAD)] * 2)
    old = WebhookEvent.objects.order_by("pk")[0]
    WebhookEvent.objects.filter(pk=old.pk).update(created_at=timezone.now() - dt.timedelta(days=31))
    tasks.sweep()
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
    assert "No whole answer" in delivery.error
