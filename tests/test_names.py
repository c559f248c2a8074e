"""Names that customers chose, of themselves and of files, can't disguise what is around them."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from conversations.files import uploads
from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from conversations.tests.rows import conversation
from conversations.tests.rows import message as stored_message
from leads.models import Lead
from tenants.tests.people import TwoBusinesses
from tests.media_at_meta import PDF
from tests.stage import Stage
from whatsapp.tests.factories import contact, inbound, message, text_message

HIDDEN = ["\u202e", "\u2066", "\u200f", "\u200b", "\u2028", "\x85", "\U000e0041"]
NAME = "Ann\u202e\u2066\u200b Lee\u2028\x85\U000e0041"
FILE = "invoice\u202efdp.exe"


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def has_hidden(text: str) -> bool:
    return any(letter in text for letter in HIDDEN)


def test_they_are_cleaned_where_they_arrive(stage: Stage) -> None:
    file = message("document", {**stage.wire.media.put(PDF, "application/pdf"), "filename": FILE, "caption": "Pay"})
    card = message("contacts", [{"name": {"formatted_name": NAME}}])
    stage.converse(inbound(file, card, contacts=[contact(NAME, username=NAME)]))
    assert (Conversation.objects.get().contact_name, Lead.objects.get().name) == ("Ann Lee", "Ann Lee")
    assert Attachment.objects.get().filename == "invoicefdp.exe"
    texts = list(ConversationMessage.objects.filter(role="user").order_by("id").values_list("text", flat=True))
    assert texts == ["[document] invoicefdp.exe: Pay", "[contact] Ann Lee"]
    assert not any(has_hidden(str(request)) for request in stage.wire.asked)


@pytest.mark.django_db
def test_names_that_are_stored_already_are_cleaned_where_they_are_shown(businesses: TwoBusinesses) -> None:
    ours = conversation(businesses.ours)
    Conversation.objects.filter(pk=ours.pk).update(contact_name=NAME)
    Lead.objects.create(tenant=businesses.ours, conversation=ours, name=NAME)
    file = Attachment.objects.create(
        message=stored_message(ours, "[document]", kind="document"), kind="document", state="ready", filename=FILE,
        file=uploads.keep(ContentFile(PDF, "x.pdf")).storage_name,
    )  # fmt: skip
    owner = businesses.browser("owner")
    desk = f"/admin/conversations/conversation/{ours.pk}"
    shown = [owner.get(url).content.decode() for url in ("/admin/conversations/conversation/", "/admin/leads/lead/")]
    shown.append(owner.get(f"{desk}/change/").content.decode())
    assert [has_hidden(page) for page in shown] == [False] * 3
    assert "<bdi>invoicefdp.exe</bdi>" in shown[2]
    assert '<bdi class="desk-sender">Ann Lee</bdi>' in shown[2]
    download: Any = owner.get(f"{desk}/attachments/{file.pk}/")
    assert b"".join(download.streaming_content) == PDF
    assert download["Content-Disposition"] == 'attachment; filename="invoicefdp.exe.bin"'


@pytest.mark.parametrize("name", ["שלום 7 עולם", "می‌خواهم", "👩‍🌾 Farm", "Zoë"])
def test_names_in_every_script_stay_as_they_are(stage: Stage, name: str) -> None:
    stage.post(inbound(text_message("Hello"), contacts=[contact(name)]))
    assert str(Conversation.objects.get()) == name
