"""Sending files from the desk."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n"


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


def send(businesses: TwoBusinesses, of: Conversation, data: bytes, mime_type: str, text: str = "") -> str:
    file = SimpleUploadedFile("bill.pdf", data, mime_type)
    address = f"/admin/conversations/conversation/{of.pk}/reply/"
    response = businesses.browser("operator").post(address, {"text": text, "file": file}, follow=True)
    return str(response.content.decode())


def test_the_text_becomes_the_caption_of_the_file(businesses: TwoBusinesses, ours: Conversation) -> None:
    page = send(businesses, ours, PDF, "application/pdf", "Your bill")
    message = ConversationMessage.objects.get()
    assert (message.kind, message.status, message.text) == ("document", "queued", "[document] bill.pdf Your bill")
    assert (message.origin, message.author) == ("operator", businesses.people["operator"])
    assert f"/attachments/{Attachment.objects.get().pk}/" in page
    ours.refresh_from_db()
    assert ours.handled_by == "operator"


def test_a_file_can_be_sent_without_text(businesses: TwoBusinesses, ours: Conversation) -> None:
    send(businesses, ours, PDF, "application/pdf")
    assert ConversationMessage.objects.get().kind == "document"


def test_unsupported_files_are_refused(businesses: TwoBusinesses, ours: Conversation) -> None:
    for claimed in ("text/html", "application/pdf"):
        page = send(businesses, ours, b"<html>", claimed)
        assert "Not sent. WhatsApp doesn&#x27;t accept HTML files. Convert it to PDF." in page
    assert not ConversationMessage.objects.exists()
    assert not Attachment.objects.exists()
