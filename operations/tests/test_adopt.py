"""`manage.py adopt`: the only way in which rows without a business get one."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation, message
from leads.models import Lead
from operations.management.commands.adopt import NUMBER_OF
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses
from whatsapp.models import QuarantinedEvent, WhatsAppAccount

pytestmark = pytest.mark.django_db


def adopt(number: str, tenant: Tenant, *, dry_run: bool = False) -> str:
    out = StringIO()
    call_command("adopt", number, tenant.slug, dry_run=dry_run, stdout=out)
    return out.getvalue()


@pytest.fixture
def orphan() -> Conversation:
    found = conversation(None)
    Conversation.objects.update(tenant=None)
    message(found, "Hello")
    message(found, "Yes?", role="assistant", status="sent")
    Lead.objects.create(conversation=found)
    QuarantinedEvent.objects.create(reason="x", phone_number_id=found.phone_number_id, raw={}, digest="1")
    found.refresh_from_db()
    return found


def test_it_gives_the_rows_of_the_number_to_the_business(businesses: TwoBusinesses, orphan: Conversation) -> None:
    other = conversation(businesses.theirs, "49777")
    printed = adopt(orphan.phone_number_id, businesses.ours)
    assert "       1 conversations\n" in printed
    assert Conversation.objects.get(pk=orphan.pk).tenant == businesses.ours
    assert Conversation.objects.get(pk=other.pk).tenant == businesses.theirs
    assert (Lead.objects.get().tenant, QuarantinedEvent.objects.get().tenant) == (businesses.ours, businesses.ours)
    owners = dict(ConversationMessage.objects.filter(conversation=orphan).values_list("text", "tenant"))
    assert owners == {"Hello": None, "Yes?": businesses.ours.pk}


def test_a_dry_run_changes_nothing(businesses: TwoBusinesses, orphan: Conversation) -> None:
    assert "would be given" in adopt(orphan.phone_number_id, businesses.ours, dry_run=True)
    assert Conversation.objects.get().tenant is None


def test_the_number_of_another_business_is_refused(businesses: TwoBusinesses, orphan: Conversation) -> None:
    WhatsAppAccount.objects.create(tenant=businesses.theirs, phone_number_id=orphan.phone_number_id)
    with pytest.raises(CommandError, match="connected to another business"):
        adopt(orphan.phone_number_id, businesses.ours)
    assert Conversation.objects.get().tenant is None


def test_an_unknown_business_is_refused(businesses: TwoBusinesses) -> None:
    with pytest.raises(CommandError, match="No business has the slug 'nowhere'"):
        call_command("adopt", "1001", "nowhere")


def test_no_table_is_forgotten() -> None:
    """Every table in which a row may belong to no business, except the audit log: it's never changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND column_name = 'tenant_id' AND is_nullable = 'YES'"
        )
        found = {name for (name,) in cursor.fetchall()}
    assert found - {"audit_entries"} == {model._meta.db_table for model in NUMBER_OF}
