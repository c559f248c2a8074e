"""The statement that takes a turn, held against the conditions as `attachment_wait` and the model say them."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from assistant.models import Assistant, Turn
from assistant.turns import attachment_wait, opening
from assistant.turns.claiming import take
from conversations.files.attachments import Attachment
from conversations.history.messages import add_conversation_message
from conversations.models import Conversation
from conversations.tests.rows import conversation
from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)


def due_turn(talk: Conversation, **columns: Any) -> Turn:
    message = add_conversation_message(talk.pk, "user", "Hello", kind="image")
    now = timezone.now() - dt.timedelta(seconds=1)
    return Turn.objects.create(
        conversation=talk, first_message=message, last_message=message, due_at=now, latest_due_at=now, **columns
    )


def test_it_takes_once_and_grows_the_generation() -> None:
    turn = due_turn(conversation(None), generation=4)
    taken = take(turn.pk)
    turn.refresh_from_db()
    assert taken is not None
    assert (taken.generation, turn.generation, turn.state) == (5, 5, "generating")
    assert turn.lease_until is not None
    assert turn.lease_until > timezone.now()
    assert take(turn.pk) is None


@pytest.mark.parametrize("columns", [{"state": "replied"}, {"state": "generating"}, {"state": "failed"}])
def test_it_takes_only_what_is_collected(columns: dict[str, str]) -> None:
    assert take(due_turn(conversation(None), **columns).pk) is None


def test_it_takes_nothing_that_is_not_due() -> None:
    turn = due_turn(conversation(None))
    Turn.objects.update(due_at=timezone.now() + dt.timedelta(minutes=1))
    assert take(turn.pk) is None


@pytest.mark.parametrize("kind", ["audio", "image", "document", "video", "sticker"])
@pytest.mark.parametrize("state", ["pending", "reading", "ready", "failed"])
@pytest.mark.parametrize("age", [0, 3600])
def test_it_waits_for_the_files_that_waiting_names(kind: str, state: str, age: int) -> None:
    turn = due_turn(conversation(None))
    file = Attachment.objects.create(message=turn.first_message, kind=kind, state=state)
    Attachment.objects.filter(pk=file.pk).update(created_at=timezone.now() - dt.timedelta(seconds=age))
    newest = Turn.objects.annotate(newest=attachment_wait.newest_file()).values_list("newest", flat=True).get()
    assert (take(turn.pk) is None) is (newest is not None)


def test_a_file_of_another_conversation_does_not_hold_it() -> None:
    turn = due_turn(conversation(None))
    other = due_turn(conversation(None, "4900000"))
    Attachment.objects.create(message=other.first_message, kind="audio", state="pending")
    assert take(other.pk) is None
    assert take(turn.pk) is not None


@pytest.mark.parametrize("is_off", [True, False])
@pytest.mark.parametrize("has_assistant", [True, False])
def test_it_knows_what_the_rows_say(is_off: bool, has_assistant: bool) -> None:
    tenant = Tenant.objects.create(name="Bakery", slug="bakery", is_active=not is_off)
    Assistant.objects.create(tenant=Tenant.objects.create(name="Other", slug="other"), instructions="Not these.")
    if has_assistant:
        Assistant.objects.create(tenant=tenant, api_key="sk-secret", quiet_seconds=2)
    turn = due_turn(conversation(tenant))
    taken = take(turn.pk)
    row = Conversation.objects.get(pk=turn.conversation_id)
    assert taken is not None
    for name in ("pk", "tenant_id", "phone_number_id", "handled_by", "is_active", "last_inbound_at"):
        assert getattr(taken.conversation, name) == getattr(row, name)
    assert opening.why_silent(taken.conversation) == opening.why_silent(row)
    assert (opening.why_silent(row) == "tenant inactive") is is_off
    plain = opening.assistant_of(row)
    for field in Assistant._meta.concrete_fields:
        assert getattr(taken.assistant, field.attname) == getattr(plain, field.attname)
