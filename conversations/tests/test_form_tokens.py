"""A form of the desk sends its message once, however often it's submitted."""

import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from conversations.desk import form_tokens
from conversations.models import Conversation, ConversationMessage, ConversationNote
from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses
from tests.pdfs import pdf

TOKEN = form_tokens.new()


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


def submit(client: Client, of: Conversation, form: str = "reply", **fields: object) -> str:
    """The page that follows."""
    address = f"/admin/conversations/conversation/{of.pk}/{form}/"
    return client.post(address, {"form_token": TOKEN, **fields}, follow=True).content.decode()


def texts() -> list[str]:
    return list(ConversationMessage.objects.order_by("pk").values_list("text", flat=True))


@pytest.mark.django_db
def test_a_reply_that_is_submitted_twice_is_sent_once(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    for _ in range(2):
        assert "Not sent" not in submit(client, ours, text="Hello")
    assert texts() == ["Hello"]
    submit(client, ours, text="Hello", form_token=form_tokens.new())
    assert texts() == ["Hello", "Hello"], "another form may say the same again"


@pytest.mark.django_db
def test_a_long_reply_is_sent_once(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    for _ in range(2):
        submit(client, ours, text="word " * 1500)
    assert len(texts()) == 2


@pytest.mark.django_db
def test_a_file_is_sent_once(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    for _ in range(2):
        submit(client, ours, text="Yours", file=SimpleUploadedFile("bill.pdf", pdf("Bill"), "application/pdf"))
    assert len(texts()) == 1


@pytest.mark.django_db
def test_a_reply_that_was_changed_since_it_was_sent_is_refused(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    submit(client, ours, text="At nine")
    assert "An earlier version of this message was sent before." in submit(client, ours, text="At ten")
    assert texts() == ["At nine"]


@pytest.mark.django_db
def test_a_note_is_added_once(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    for _ in range(2):
        submit(client, ours, "note", text="Call her")
    assert ConversationNote.objects.count() == 1


@pytest.mark.django_db
def test_buttons_are_sent_once(businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    for _ in range(2):
        submit(client, ours, "compose", section="buttons", text="Shall we?", choices="Yes\nNo")
    assert len(texts()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_submissions_at_once_send_one_message(businesses: TwoBusinesses, ours: Conversation) -> None:
    def send() -> None:
        submit(client, ours, text="Hello")
        connection.close()

    client = businesses.browser("operator")
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts() == ["Hello"]
