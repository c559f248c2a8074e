"""`manage.py demo`: a business that has been used for two weeks, the same in the admin and on the sandbox phone."""

import datetime as dt
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from assistant.models import Assistant, Turn
from conversations.models import Attachment, Conversation, ConversationMessage, ConversationNote
from leads.models import Lead
from operations.demo import business, stories
from sandbox.model.knowledge import Knowledge
from sandbox.models import Chat, Message, PhoneNumber
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sandbox(settings: Any, tmp_path: Path) -> None:
    settings.DEBUG, settings.SANDBOX, settings.MULTITENANT_ENABLED = True, True, False
    settings.BASE_DIR = tmp_path
    settings.SANDBOX_URL = "http://127.0.0.1:8000/sandbox"
    settings.WHATSAPP_GRAPH_URL = f"{settings.SANDBOX_URL}/graph"


def demo(**options: Any) -> str:
    printed = StringIO()
    call_command("demo", stdout=printed, **options)
    return printed.getvalue()


def test_thirty_conversations_in_three_languages_over_two_weeks_with_everything_that_happens() -> None:
    demo()
    assert Conversation.objects.count() == 30
    oldest = Conversation.objects.earliest("created_at").created_at
    assert dt.timedelta(days=12) < timezone.now() - oldest < dt.timedelta(days=15)
    assert not ConversationMessage.objects.filter(created_at__gt=timezone.now()).exists()
    assert set(Conversation.objects.exclude(needs_person="").values_list("handover_reason", flat=True)) == {
        "asked", "complaint", "cant_answer", "sale", ""
    }  # fmt: skip
    assert Conversation.objects.filter(handled_by="operator", operator__isnull=False).count() == 2
    assert ConversationMessage.objects.filter(status="uncertain").count() == 1
    kinds = set(ConversationMessage.objects.values_list("kind", flat=True))
    assert kinds >= {"text", "image", "document", "location", "reaction", "interactive", "template"}
    assert Lead.objects.count() == 30
    assert {stage for (stage,) in Lead.objects.values_list("stage")} == {"new", "contacted", "qualified", "won", "lost"}
    assert ConversationNote.objects.count() >= 4
    days = {turn.opened_at.date() for turn in Turn.objects.all()}
    assert len(days) >= 10
    for attachment in Attachment.objects.all():
        with default_storage.open(str(attachment.file.name)) as file:
            assert len(file.read()) == attachment.size


def test_names_and_numbers_are_the_same_in_the_admin_and_on_the_phone() -> None:
    demo()
    account, number = WhatsAppAccount.objects.get(), PhoneNumber.objects.get()
    assert account.tenant.name == number.verified_name == "Harbour Bakery"
    assert account.display_phone_number == f"+{number.display_phone_number}"
    assert (account.phone_number_id, account.waba_id) == (number.phone_number_id, number.waba_id)
    assert Chat.objects.count() == 30
    shown = set(Message.objects.values_list("wamid", flat=True))
    assert shown <= set(ConversationMessage.objects.values_list("external_id", flat=True))
    assert Knowledge(Assistant.objects.get().instructions).business == "Harbour Bakery"


def test_the_prices_in_the_stories_are_those_in_the_instructions() -> None:
    demo()
    items = {
        name.lower(): item for item in Knowledge(Assistant.objects.get().instructions).items for name in item.names
    }
    assert len(items) == 21
    strawberry = items["strawberry cake"]
    assert strawberry.money(strawberry.price) == "€28"
    assert ConversationMessage.objects.filter(text__contains="€28", role="assistant").exists()


def test_doing_it_again_changes_nothing_and_brings_back_what_was_deleted() -> None:
    first = demo()
    tenant = Tenant.objects.get()
    tenant.name = "My own bakery"
    tenant.save()
    Assistant.objects.update(instructions="Mine")
    Conversation.objects.get(contact_name="Hannah Price").delete()
    assert demo(again=False).splitlines()[-1] == first.splitlines()[-1]
    assert Conversation.objects.count() == 29
    demo()
    assert Conversation.objects.count() == 30
    assert (Tenant.objects.get().name, Assistant.objects.get().instructions) == ("My own bakery", "Mine")


def test_it_ends_with_how_to_sign_in_and_where_to_find_that_again(tmp_path: Path) -> None:
    password = demo().splitlines()[-1].partition("password ")[2].partition(" ")[0]
    assert password == (tmp_path / ".data" / "admin-password").read_text()


def test_no_made_up_customers_where_messages_would_really_be_sent(settings: Any) -> None:
    settings.WHATSAPP_GRAPH_URL = "https://graph.facebook.com"
    demo()
    assert not Conversation.objects.exists()


def test_it_never_runs_in_production(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="development only"):
        demo()
    assert not WhatsAppAccount.objects.exists()


def test_every_story_ends_before_now_at_any_time_of_day() -> None:
    for hour in range(24):
        now = dt.datetime(2026, 3, 5, hour, 30, tzinfo=dt.UTC)
        told = stories.read(now, dt.UTC)
        assert all(line.at <= now for story in told for line in story.lines)
        assert len({story.phone for story in told}) == 30


def test_the_phone_number_of_the_demo_is_the_sandboxs_first() -> None:
    assert business.PHONE_NUMBER_ID == "100000000000001"
