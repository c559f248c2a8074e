"""Everything except text, from the outbox to the outgoing request."""

import datetime as dt
from typing import Any

import httpx2
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from conversations import handover
from conversations.files import attachments, uploads
from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import contents
from conversations.outbox import queue as outbox
from conversations.outbox.contents import Button, Buttons, FileLink, FileUpload, LocationRequest, Parameter, Template
from tenants.tests.people import superuser
from tests.media_at_meta import PDF, picture
from tests.stage import Stage, graph_error
from whatsapp.tests.factories import CUSTOMER, inbound, text_message


@pytest.fixture
def talk(stage: Stage) -> Conversation:
    stage.converse(inbound(text_message("Hello", id="wamid.hello")))
    stage.wire.sent.clear()
    return Conversation.objects.get()


def kept(data: bytes = PDF, name: str = "bill.pdf", caption: str = "", **more: str) -> FileUpload:
    return uploads.keep(ContentFile(data, name), caption, **more)


def last() -> ConversationMessage:
    return ConversationMessage.objects.order_by("-id")[0]


def test_buttons_go_out_and_are_read_in_the_history(stage: Stage, talk: Conversation) -> None:
    message = outbox.send_message(talk, Buttons("Which day?", (Button("mo", "Monday"), Button("tu", "Tuesday"))))
    stage.work()
    assert stage.wire.sent == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": CUSTOMER,
            "type": "interactive",
            "interactive": {
                "type": "button",
                "body": {"text": "Which day?"},
                "action": {
                    "buttons": [
                        {"type": "reply", "reply": {"id": "mo", "title": "Monday"}},
                        {"type": "reply", "reply": {"id": "tu", "title": "Tuesday"}},
                    ]
                },
            },
            "biz_opaque_callback_data": str(message.pk),
        }
    ]
    message.refresh_from_db()
    assert (message.kind, message.status) == ("interactive", "sent")
    assert message.text == "Which day?\n[button] Monday\n[button] Tuesday"
    stage.converse(inbound(text_message("Monday")))
    ours = [each["content"] for each in stage.wire.asked[-1]["messages"] if each["role"] == "assistant"]
    assert ours[-1].endswith(message.text)


def test_a_quotation_goes_with_it(stage: Stage, talk: Conversation) -> None:
    outbox.send_message(talk, LocationRequest("Where are you?"), reply_to="wamid.hello")
    stage.work()
    assert stage.wire.sent[0]["context"] == {"message_id": "wamid.hello"}


def test_a_link_is_fetched_by_meta(stage: Stage, talk: Conversation) -> None:
    outbox.send_message(talk, FileLink("image", "https://files.example/cake.jpg", "A cake"))
    stage.work()
    assert stage.wire.sent[0]["image"] == {"link": "https://files.example/cake.jpg", "caption": "A cake"}
    assert last().text == "[image] A cake https://files.example/cake.jpg"
    assert not Attachment.objects.exists()


def test_a_file_is_uploaded_once(stage: Stage, talk: Conversation) -> None:
    content = kept(caption="For you")
    stage.wire.graph = lambda body: graph_error(131057) if len(stage.wire.sent) == 1 else stage.wire.accept()
    message = outbox.send_message(talk, content)
    stage.work()
    assert len(stage.wire.sent) == 2, "the first one was refused for the moment"
    assert stage.wire.sent[1]["document"] == {"id": "up1", "caption": "For you", "filename": "bill.pdf"}
    assert len(stage.wire.media.uploaded) == 1
    assert PDF in stage.wire.media.uploaded[0]
    attachment = message.attachments.get()
    assert (attachment.state, attachment.media_id, attachment.filename) == ("ready", "up1", "bill.pdf")
    assert last().text == "[document] bill.pdf For you"


def test_a_file_that_meta_has_forgotten_is_uploaded_again(stage: Stage, talk: Conversation) -> None:
    message = outbox.send_message(talk, kept(picture(), "cake.jpg"))
    stage.work()
    Attachment.objects.update(media_id_until=Now() - dt.timedelta(days=1))
    ConversationMessage.objects.filter(pk=message.pk).update(status="failed")
    assert handover.send_again(message.pk, superuser())
    stage.work()
    assert [body["image"]["id"] for body in stage.wire.sent] == ["up1", "up2"]


@pytest.mark.parametrize("answer", [graph_error(131053), httpx2.Response(502, text="<html>"), graph_error(2, 500)])
def test_an_upload_that_fails_leaves_nothing_uncertain(
    stage: Stage, talk: Conversation, answer: httpx2.Response
) -> None:
    stage.wire.media.refusals = [answer]
    outbox.send_message(talk, kept())
    stage.work()
    permanent = answer.status_code == 400
    assert last().status == ("failed" if permanent else "sent")
    assert len(stage.wire.sent) == (0 if permanent else 1)


def test_a_missing_file_is_reported(stage: Stage, talk: Conversation) -> None:
    content = kept()
    message = outbox.send_message(talk, content)
    message.attachments.get().file.delete(save=False)
    stage.work()
    assert (last().status, last().error_detail) == ("failed", "The file is no longer in the storage.")


def test_a_short_storage_outage_leaves_nothing_uncertain(
    stage: Stage, talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, openings = kept(), [OSError("away")]

    def opened(name: str) -> Any:
        if openings:
            raise openings.pop()
        return default_storage.open(name)

    monkeypatch.setattr(attachments, "opened", opened)
    outbox.send_message(talk, content)
    stage.work()
    assert (last().status, last().error_detail, openings) == ("sent", "", [])


def close_window(talk: Conversation) -> None:
    Conversation.objects.update(last_inbound_at=Now() - dt.timedelta(hours=25))
    talk.refresh_from_db()


def test_a_template_goes_out_when_the_window_is_closed_and_nothing_else_does(stage: Stage, talk: Conversation) -> None:
    close_window(talk)
    outbox.send_message(talk, LocationRequest("Where are you?"))
    outbox.send_message(
        talk,
        Template("order_update", "en", (Parameter("Ann"), Parameter("17")), text="Hello Ann, your order 17 is ready."),
    )
    stage.work()
    assert [body["template"] for body in stage.wire.sent] == [
        {
            "name": "order_update",
            "language": {"code": "en"},
            "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Ann"}, {"type": "text", "text": "17"}]}
            ],
        }
    ]
    rows = ConversationMessage.objects.filter(payload__isnull=False).order_by("id")
    assert [(row.kind, row.status) for row in rows] == [("interactive", "failed"), ("template", "sent")]
    assert last().text == "Hello Ann, your order 17 is ready."


def test_a_template_is_sent_with_its_file(stage: Stage, talk: Conversation) -> None:
    close_window(talk)
    message = outbox.send_message(talk, Template("bill", "en", text="Your bill", header_media=kept()))
    stage.work()
    assert stage.wire.sent[0]["template"]["components"] == [
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "up1", "filename": "bill.pdf"}}]}
    ]
    assert PDF in stage.wire.media.uploaded[0]
    assert (last().status, message.attachments.get().media_id) == ("sent", "up1")


@pytest.mark.parametrize(
    ("data", "name", "more", "kind", "mime_type"),
    [
        (picture(), "a.jpg", {}, "image", "image/jpeg"),
        (PDF, "../../etc/bill.pdf", {}, "document", "application/pdf"),
        (b"OggS" + bytes(50), "a.ogg", {}, "audio", "audio/ogg"),
        (b"a,b\n1,2\n", "t.csv", {"claimed": "text/csv"}, "document", "text/plain"),
        (picture(), "a.jpg", {"kind": "document"}, "document", "image/jpeg"),
    ],
)
def test_a_file_is_stored_under_its_real_type(
    stage: Stage, data: bytes, name: str, more: dict[str, str], kind: str, mime_type: str
) -> None:
    upload = kept(data, name, **more)
    assert (upload.kind, upload.mime_type, upload.size) == (kind, mime_type, len(data))
    assert upload.filename == name.rpartition("/")[2]
    assert contents.from_json(contents.to_json(upload)) == upload


@pytest.mark.parametrize(
    ("data", "more", "reason"),
    [
        (b"", {}, "empty"),
        (b"<html>", {}, "HTML files"),
        (b"MZ" + bytes(9), {}, "executable files"),
        (PDF, {"kind": "image"}, "isn't of kind “image”"),
        (b"OggS" + bytes(17 * 1024 * 1024), {}, "too large"),
        (b"OggS", {"caption": "la"}, "captions on audio"),
        (picture(), {"caption": "c" * 1025}, "allows 1024"),
    ],
)
def test_unsupported_files_are_refused_and_not_stored(
    stage: Stage, settings: Any, data: bytes, more: dict[str, str], reason: str, tmp_path: Any
) -> None:
    with pytest.raises(ValueError, match=reason):
        kept(data, "file", **more)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
