"""What checks leave behind is removed, and nothing else."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from conversations import handover
from conversations.models import Conversation
from notifications.models import NotificationIncident
from operations import leftovers
from sandbox.models import Customer
from tenants.models import Tenant
from whatsapp.models import QuarantinedEvent

pytestmark = pytest.mark.django_db
NUMBER = "100000000000001"


def conversation(number: str, external_id: str, user_id: str | None = None) -> Conversation:
    tenant = Tenant.objects.single()
    return Conversation.objects.create(
        tenant=tenant, phone_number_id=number, external_id=external_id, contact_user_id=user_id
    )


def test_the_checks_customers_and_events_are_removed_and_no_others(settings: object) -> None:
    settings.SANDBOX = True  # type: ignore[attr-defined]
    handover.mark_needs_person([conversation(NUMBER, "15550001").pk], "The assistant didn't reply.")
    conversation(NUMBER, "15550009", "US.2")
    kept = [conversation(NUMBER, "15550002"), conversation("2", "15550001")]
    Customer.objects.create(name="Conformance", phone="15550001")
    ada = Customer.objects.create(name="Ada", phone="15551234567")
    now = timezone.now()
    events = [
        QuarantinedEvent.objects.create(phone_number_id=number, raw={}, reason="x", digest=str(digest), created_at=at)
        for digest, (number, at) in enumerate(
            [
                ("", timezone.now()),
                (NUMBER, timezone.now()),
                ("2", timezone.now()),
                ("", timezone.now() - dt.timedelta(1)),
            ]
        )
    ]
    leftovers.forget(NUMBER, {"15550001", "US.2"}, now - dt.timedelta(minutes=1))
    assert list(Conversation.objects.order_by("pk")) == kept
    assert not NotificationIncident.objects.exists()
    assert list(Customer.objects.all()) == [ada]
    assert list(QuarantinedEvent.objects.order_by("pk")) == events[2:]


def test_a_message_that_comes_at_the_last_moment_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    conversation(NUMBER, "15550001")
    delete, errors = leftovers._delete, [IntegrityError()]

    def interrupted(*args: Any) -> None:
        if errors:
            raise errors.pop()
        delete(*args)

    monkeypatch.setattr(leftovers, "_delete", interrupted)
    leftovers.forget(NUMBER, {"15550001"}, timezone.now())
    assert not Conversation.objects.exists()
