"""A person sends a file from the desk."""

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


def test_a_file_is_queued_with_the_text_as_its_caption_and_shown(businesses: TwoBusinesses, ours: Conversation) -> None:
    page = send(businesses, ours, PDF, "application/pdf", "Your bill")
    message = ConversationMessage.objects.get()
    assert (message.kind, message.status, message.text) == ("document", "queued", "[document] bill.pdf Your bill")
    assert (message.origin, message.author) == ("operator", businesses.people["operator"])
    assert f"/attachments/{Attachment.objects.get().pk}/" in page
    ours.refresh_from_db()
    assert ours.handled_by == "operator"


def test_a_file_needs_no_text(businesses: TwoBusinesses, ours: Conversation) -> None:
    send(businesses, ours, PDF, "application/pdf")
    assert ConversationMessage.objects.get().kind == "document"


def test_what_whatsapp_does_not_take_is_refused(businesses: TwoBusinesses, ours: Conversation) -> None:
    assert "no web pages. Nothing was sent." in send(businesses, ours, b"<html>", "text/html")
    assert "no document that WhatsApp takes. Nothing was sent." in send(businesses, ours, b"<html>", "application/pdf")
    assert not ConversationMessage.objects.exists()
    assert not Attachment.objects.exists()
