"""One rule for replies from the team: who may reply, and what happens when two people do at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from conversations import handover
from conversations.models import Conversation, ConversationMessage, lock
from conversations.outbox.contents import LocationRequest, Template
from conversations.replies import MAX_LENGTH, ReplyRefused, reply
from conversations.tests.rows import conversation, message
from tenants.models import Membership, Tenant
from tenants.tests.people import Role, TwoBusinesses, browser_of, person


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


@contextmanager
def locked(of: Conversation) -> Iterator[None]:
    """Hold the conversation's lock until both threads wait for it."""
    with transaction.atomic():
        lock(pk=of.pk)
        yield


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # kept for the whole transaction otherwise
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_when_two_people_reply_at_once_one_is_refused(businesses: TwoBusinesses, ours: Conversation) -> None:
    people = [businesses.people["operator"], person("maya", ours=Role.OPERATOR)]
    refusals: list[str] = []

    def send(text: str, index: int) -> None:
        try:
            reply(ours.pk, people[index], text)
        except ReplyRefused as refusal:
            refusals.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(f"Reply {index}", index)) for index in range(2)]
    with locked(ours):
        for thread in threads:
            thread.start()
        while waiting_for_locks() < 2:
            pass
    for thread in threads:
        thread.join()
    sent = ConversationMessage.objects.get()
    ours.refresh_from_db()
    assert sent.author == ours.operator
    assert ours.operator is not None
    assert refusals == [f"{ours.operator.username} is handling this conversation. Take over to reply."]


@pytest.mark.django_db
def test_a_reply_cancels_what_the_assistant_had_queued(businesses: TwoBusinesses, ours: Conversation) -> None:
    queued = message(ours, "From the assistant", "assistant", status="queued")
    reply(ours.pk, businesses.people["operator"], "From me")
    queued.refresh_from_db()
    assert (queued.status, queued.error_detail) == ("failed", handover.TAKEN_OVER)
    assert ConversationMessage.objects.get(status="queued").text == "From me"


@pytest.mark.django_db
def test_replying_after_someone_used_the_whatsapp_app_takes_over(businesses: TwoBusinesses, ours: Conversation) -> None:
    handover.take_over(ours.pk, None)
    reply(ours.pk, businesses.people["operator"], "From the desk")
    ours.refresh_from_db()
    assert ours.operator == businesses.people["operator"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "reason"), [(" \n", "Enter a message first."), ("x" * (MAX_LENGTH + 1), "The message is too long")]
)
def test_refuses_texts_that_are_empty_or_too_long(
    businesses: TwoBusinesses, ours: Conversation, text: str, reason: str
) -> None:
    with pytest.raises(ReplyRefused, match=reason):
        reply(ours.pk, businesses.people["operator"], text)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["viewer", "stranger", "nobody"])
def test_refuses_people_who_are_not_operators(businesses: TwoBusinesses, ours: Conversation, who: str) -> None:
    with pytest.raises(ReplyRefused, match="Only operators can reply"):
        reply(ours.pk, businesses.people[who], "Hello")
    assert not ConversationMessage.objects.exists()


@pytest.mark.django_db
def test_refuses_someone_who_has_left_the_business(businesses: TwoBusinesses, ours: Conversation) -> None:
    Membership.objects.filter(user=businesses.people["operator"]).delete()
    with pytest.raises(ReplyRefused):
        reply(ours.pk, businesses.people["operator"], "Hello")


@pytest.mark.django_db
def test_refuses_when_the_business_is_suspended(businesses: TwoBusinesses, ours: Conversation) -> None:
    Tenant.objects.update(is_active=False)
    with pytest.raises(ReplyRefused, match="suspended"):
        reply(ours.pk, businesses.people["operator"], "Hello")


@pytest.mark.django_db
def test_only_templates_can_be_sent_after_the_window_has_closed(businesses: TwoBusinesses, ours: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=None)
    for content in ("Hello", LocationRequest("Where are you?")):
        with pytest.raises(ReplyRefused, match="24-hour window has closed"):
            reply(ours.pk, businesses.people["operator"], content)
    reply(ours.pk, businesses.people["operator"], Template("hello", "en", text="Hello"))
    assert ConversationMessage.objects.get().kind == "template"


@pytest.mark.django_db
def test_the_file_of_a_refused_reply_is_deleted(
    businesses: TwoBusinesses, ours: Conversation, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    handover.take_over(ours.pk, businesses.people["owner"])
    file = SimpleUploadedFile("bill.pdf", b"%PDF-1.7\n", "application/pdf")
    url = f"/admin/conversations/conversation/{ours.pk}/reply/"
    page = browser_of(businesses.people["operator"]).post(url, {"file": file}, follow=True).content.decode()
    assert "Take over to reply." in page
    assert not ConversationMessage.objects.exists()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
