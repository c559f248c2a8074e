"""Deleting a business: out of sight at once, then in small transactions, files included."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as active
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from conversations.files.uploads import keep
from conversations.models import Attachment, Conversation, ConversationMessage
from conversations.outbox.queue import send_message
from knowledge import sources
from knowledge.models import Source
from notifications.models import NotificationDelivery, NotificationIncident
from privacy import businesses as deletion
from privacy.tasks import resume_deletions
from tenants.models import Membership, Tenant
from tenants.tests.people import TwoBusinesses
from tests.media_at_meta import PDF
from tests.stage import Stage
from webhooks.models import EventType, WebhookDelivery, WebhookEndpoint
from webhooks.signature import new_secret
from webhooks.tests.receiver import record


@pytest.fixture
def businesses(stage: Stage) -> TwoBusinesses:
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    return TwoBusinesses()


def fill(tenant: Tenant, conversations: int = 2, messages: int = 5) -> None:
    WebhookEndpoint.objects.create(
        tenant=tenant, url="https://127.0.0.1/", event_types=list(EventType), secret=new_secret()
    )
    record(tenant.pk, EventType.NEEDS_PERSON, {})
    WebhookDelivery.objects.update(status=WebhookDelivery.Status.DELIVERED)
    source, upload = Source(tenant=tenant), ContentFile(b"Cakes: 24.00", "prices.txt")
    with sources.announced([upload]) as (stored,):
        sources.add_file(source, upload, stored)
    Source.objects.create(tenant=tenant, kind="page", url="https://shop.test/a", parent=source)
    for number in range(conversations):
        incident = NotificationIncident.objects.create(tenant=tenant, kind="handover", subject=str(number), title="Ann")
        owner = User.objects.get(is_superuser=True)
        NotificationDelivery.objects.create(tenant=tenant, incident=incident, user=owner, channel="page")
        talk = Conversation.objects.create(tenant=tenant, phone_number_id=str(tenant.pk), external_id=str(number))
        ConversationMessage.objects.bulk_create(
            ConversationMessage(conversation=talk, role="user", text="Hello") for _ in range(messages)
        )
        send_message(talk, keep(ContentFile(PDF, "bill.pdf")))


def rows_by_model() -> dict[str, int]:
    return {model.__name__: model._base_manager.count() for model in models()}


def models() -> list[type[Model]]:
    ours = ["tenants", "webhooks", "notifications", "conversations", "leads", "knowledge", "assistant", "whatsapp"]
    return [model for label in [*ours, "api"] for model in apps.get_app_config(label).get_models()]


def stored_files() -> list[Path]:
    return [file for file in Path(active.MEDIA_ROOT).rglob("*") if file.is_file()]


def delete(client: Client, tenant: Tenant) -> Any:
    client.force_login(User.objects.get(is_superuser=True))
    return client.post(f"/admin/tenants/tenant/{tenant.pk}/delete/", {"post": "yes"}, follow=True)


def test_a_business_goes_with_everything_that_belongs_to_it_and_nothing_else(
    client: Client, stage: Stage, businesses: TwoBusinesses
) -> None:
    fill(businesses.theirs)
    stage.work()
    kept, files = rows_by_model(), stored_files()
    fill(businesses.ours)
    answer = delete(client, businesses.ours)
    assert "being deleted in the background" in answer.content.decode()
    stage.work()
    left = rows_by_model()
    assert not Tenant.objects.filter(pk=businesses.ours.pk).exists()
    assert left.pop("Membership") < kept.pop("Membership")
    assert left.pop("Tenant") == kept.pop("Tenant") - 1
    assert left == kept
    assert stored_files() == files


def test_it_is_out_of_sight_at_once(client: Client, businesses: TwoBusinesses) -> None:
    fill(businesses.ours)
    delete(client, businesses.ours)
    tenant = Tenant.objects.get(pk=businesses.ours.pk)
    assert not tenant.is_active
    assert not Membership.objects.filter(tenant=tenant).exists()
    assert f"/{tenant.pk}/change/" not in client.get("/admin/tenants/tenant/").content.decode()
    assert client.get(f"/admin/tenants/tenant/{tenant.pk}/change/").status_code == 404


def test_each_transaction_deletes_a_bounded_number_of_rows(
    client: Client, stage: Stage, businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "BATCH", 4)
    fill(businesses.ours, conversations=5, messages=9)
    delete(client, businesses.ours)
    sizes = []
    while True:
        with CaptureQueriesContext(connection) as captured:
            more = deletion.delete_some(businesses.ours.pk)
        sizes += [query["sql"].count(",") for query in captured if query["sql"].startswith("DELETE")]
        if not more:
            break
    assert not Tenant.objects.filter(pk=businesses.ours.pk).exists()
    assert max(sizes) < 4


def test_a_deletion_that_was_interrupted_goes_on(
    client: Client, stage: Stage, businesses: TwoBusinesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "BATCH", 4)
    fill(businesses.ours)
    delete(client, businesses.ours)
    assert resume_deletions() == 0, "its job is waiting"
    assert deletion.delete_some(businesses.ours.pk)
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert resume_deletions() == 1
    stage.work()
    assert not Tenant.objects.filter(pk=businesses.ours.pk).exists()
    assert not Attachment.objects.exists()
    assert stored_files() == []


def test_a_business_that_nobody_asked_to_delete_is_left_alone(businesses: TwoBusinesses) -> None:
    fill(businesses.ours)
    before = rows_by_model()
    assert not deletion.delete_some(businesses.ours.pk)
    assert rows_by_model() == before
