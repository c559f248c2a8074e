"""The row of the single business."""

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from assistant.models import Assistant
from conversations.history.messages import get_or_create_conversation
from conversations.models import Conversation
from leads.models import Lead
from tenants.models import Tenant
from tenants.tests.people import browser_of, superuser
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message


def test_migrating_creates_one_row_however_often_it_runs(transactional_db: None) -> None:
    Tenant.objects.all().delete()
    for _ in range(2):
        call_command("migrate", verbosity=0)
    assert [tenant.name for tenant in Tenant.objects.all()] == ["My business"]


def test_migrating_creates_none_where_there_are_several_businesses(transactional_db: None, settings: Any) -> None:
    settings.MULTITENANT_ENABLED = True
    Tenant.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert not Tenant.objects.exists()


def test_the_row_is_created_once_by_many_at_once(transactional_db: None) -> None:
    Tenant.objects.all().delete()
    found = set()

    def read() -> None:
        found.add(Tenant.objects.single().pk)
        connection.close()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {Tenant.objects.get().pk}


@pytest.mark.django_db
def test_another_business_may_have_its_slug() -> None:
    Tenant.objects.all().delete()
    Tenant.objects.create(name="Bakery", slug="my-business")
    assert Tenant.objects.single().slug.startswith("my-business-")


@pytest.mark.django_db
def test_a_conversation_without_a_tenant_id_belongs_to_it() -> None:
    conversation = get_or_create_conversation(None, "1001", "4915112345")
    assert conversation.tenant == Tenant.objects.single()
    assert get_or_create_conversation(Tenant.objects.single().pk, "1001", "4915112345") == conversation


def test_its_name_and_its_assistant_are_edited_in_the_admin(stage: Stage) -> None:
    client = browser_of(superuser())
    add = "/admin/assistant/assistant/add/"
    form = client.get(add).context["adminform"].form
    assert form["tenant"].value() == Tenant.objects.single().pk
    values = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    client.post(add, {**values, "instructions": "Recommend the rye bread."})
    assert Assistant.objects.get().tenant == Tenant.objects.single()
    stage.converse(inbound(text_message("Hello")))
    assert stage.wire.asked[-1]["messages"][0]["content"].startswith("Recommend the rye bread.")
    assert Conversation.objects.get().tenant == Lead.objects.get().tenant == Tenant.objects.single()
    change = f"/admin/tenants/tenant/{Tenant.objects.single().pk}/change/"
    client.post(change, {"name": "Rye & Sons", "slug": "rye", "is_active": "on"})
    assert Tenant.objects.single().name == "Rye & Sons"
