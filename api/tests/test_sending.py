"""Sending everything besides text: links, files, buttons, lists, location requests and templates."""

import datetime as dt
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from api.tests.clients import Clients
from api.tests.conftest import Meta
from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.contents import ButtonParameter, FileLink, Parameter, Template, from_json
from conversations.tests.rows import conversation, message
from tests.media_at_meta import OGG, PDF, picture
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

KEY = {"Idempotency-Key": "order-17"}
BUTTONS: dict[str, Any] = {
    "text": "Which day?",
    "buttons": [{"id": "mo", "title": "Monday"}, {"id": "tu", "title": "Tuesday"}],
}
LIST: dict[str, Any] = {
    "text": "Which cake?",
    "button": "Cakes",
    "rows": [{"id": "a", "title": "Apple", "description": "warm"}],
}
LINK = {"kind": "image", "link": "https://files.example/cake.jpg", "caption": "A cake"}
TEMPLATE = {"name": "order_update", "language": "en", "values": ["Ann", "17"]}


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def talk(clients: Clients) -> Conversation:
    return conversation(clients.businesses.ours, "4915112345")


def messages(talk: Conversation) -> str:
    return f"conversations/{talk.pk}/messages"


def files(talk: Conversation) -> str:
    return f"conversations/{talk.pk}/files"


def bill() -> "ContentFile[bytes]":
    return ContentFile(PDF, "bill.pdf")


def stored(folder: Path) -> int:
    return sum(file.is_file() for file in folder.rglob("*"))


def close_window() -> None:
    Conversation.objects.update(last_inbound_at=timezone.now() - dt.timedelta(hours=25))


def test_every_kind_is_sent_to_meta(stage: Stage, settings: Any) -> None:
    clients = Clients()
    stage.converse(inbound(text_message("Hello", id="wamid.hello")))
    stage.wire.sent.clear()
    Conversation.objects.update(tenant=clients.businesses.ours)
    talk = Conversation.objects.get()
    for data in ({"buttons": BUTTONS}, {"list": LIST}, {"location_request": {"text": "Where?"}}, {"file": LINK}):
        answer = clients.writer.post(messages(talk), {**data, "reply_to": "wamid.hello"})
        assert answer.status_code == 201, answer.json()
        assert [row["status"] for row in answer.json()["messages"]] == ["queued"]
    for file in (bill(), ContentFile(OGG, "hello.ogg"), ContentFile(picture(), "cake.jpg")):
        assert clients.writer.send(files(talk), {"file": file}).status_code == 201
    stage.work()
    replies = [{"type": "reply", "reply": button} for button in BUTTONS["buttons"]]
    interactive = [
        {"type": "button", "body": {"text": "Which day?"}, "action": {"buttons": replies}},
        {
            "type": "list",
            "body": {"text": "Which cake?"},
            "action": {"button": "Cakes", "sections": [{"rows": LIST["rows"]}]},
        },
        {"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}},
    ]
    sent = stage.wire.sent
    assert [body["interactive"] for body in sent[:3]] == interactive
    assert sent[3]["image"] == {"link": LINK["link"], "caption": "A cake"}
    assert {body["context"]["message_id"] for body in sent[:4]} == {"wamid.hello"}
    assert sent[4]["document"] == {"id": "up1", "filename": "bill.pdf"}
    assert (sent[5]["audio"], sent[6]["image"]) == ({"id": "up2"}, {"id": "up3"})
    assert [PDF in form for form in stage.wire.media.uploaded] == [True, False, False]
    rows = clients.reader.get(messages(talk), order="oldest").json()["results"][2:]
    assert [(row["kind"], row["status"]) for row in rows] == [
        *[("interactive", "sent")] * 3,
        ("image", "sent"),
        ("document", "sent"),
        ("audio", "sent"),
        ("image", "sent"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"text": "Hello", "file": LINK},
        {"reply_to": "wamid.hello"},
        {"text": "Hello", "reply_to": "wamid.of-nobody"},
        {"file": {**LINK, "link": "http://files.example/cake.jpg"}},
        {"file": {**LINK, "kind": "sticker"}},
        {"file": {**LINK, "kind": "audio"}},
        {"file": {**LINK, "filename": "cake.jpg"}},
        {"file": {**LINK, "caption": "x" * 1025}},
        {"file": "https://files.example/cake.jpg"},
        {"buttons": {**BUTTONS, "buttons": []}},
        {"buttons": {**BUTTONS, "buttons": BUTTONS["buttons"] * 2}},
        {"buttons": {**BUTTONS, "buttons": [{"id": "mo", "title": "x" * 21}]}},
        {"buttons": {**BUTTONS, "buttons": [{"id": "mo", "title": "One"}, {"id": "mo", "title": "Two"}]}},
        {"list": {**LIST, "rows": LIST["rows"] * 2}},
        {"list": {**LIST, "rows": [{"id": "a", "title": "x" * 25}]}},
        {"list": {**LIST, "button": ""}},
        {"location_request": {"text": "x" * 1025}},
        {"location_request": {"text": "\x00"}},
        {"template": {**TEMPLATE, "values": ["Ann"]}},
        {"template": {**TEMPLATE, "language": "xx"}},
        {"template": {**TEMPLATE, "values": "Ann"}},
        {"template": {"name": "invoice", "language": "en", "values": ["bill.pdf", "Ann", "17"]}},
        {"template": {"name": "many", "language": "en", "values": []}},
    ],
)
def test_what_whatsapp_would_refuse_is_refused(clients: Clients, talk: Conversation, meta: Meta, data: Any) -> None:
    answer = clients.writer.post(messages(talk), data)
    assert answer.status_code == 400, answer.json()
    assert list(answer.json()) in (["non_field_errors"], ["reply_to"], list(data))
    assert not ConversationMessage.objects.exists()


def test_a_message_of_another_conversation_cannot_be_quoted(clients: Clients, talk: Conversation) -> None:
    message(conversation(clients.businesses.theirs, "4930"), "Theirs", external_id="wamid.theirs")
    answer = clients.writer.post(messages(talk), {"text": "Hello", "reply_to": "wamid.theirs"})
    assert (answer.status_code, list(answer.json())) == (400, ["reply_to"])


def test_only_templates_can_be_sent_outside_the_window(clients: Clients, talk: Conversation, meta: Meta) -> None:
    close_window()
    for data in ({"buttons": BUTTONS}, {"list": LIST}, {"file": LINK}, {"location_request": {"text": "Where?"}}):
        assert "The 24-hour window has closed." in clients.writer.post(messages(talk), data).json()["detail"]
    assert clients.writer.send(files(talk), {"file": bill()}).status_code == 409
    answer = clients.writer.post(messages(talk), {"template": TEMPLATE})
    assert answer.status_code == 201
    (row,) = answer.json()["messages"]
    assert (row["kind"], row["text"]) == ("template", "Hello Ann, your order 17 is ready.")
    talk.refresh_from_db()
    assert (talk.handled_by, ConversationMessage.objects.count()) == ("operator", 1)


def test_the_numbers_templates_are_listed(clients: Clients, talk: Conversation, meta: Meta) -> None:
    assert clients.reader.get(f"conversations/{talk.pk}/templates").json() == {
        "templates": [
            {
                "name": "invoice",
                "language": "en",
                "category": "UTILITY",
                "header": "",
                "body": "Hello {{customer}}",
                "placeholders": ["header document", "customer", "button Pay: https://pay.example/{{1}}"],
            },
            {
                "name": "order_update",
                "language": "en",
                "category": "UTILITY",
                "header": "",
                "body": "Hello {{1}}, your order {{2}} is ready.",
                "placeholders": ["1", "2"],
            },
        ]
    }
    assert meta.asked == ["/v24.0/707/message_templates"]


def test_placeholders_in_header_and_buttons_are_filled(clients: Clients, talk: Conversation, meta: Meta) -> None:
    values = ["https://files.example/bill.pdf", "Ann", "17"]
    answer = clients.writer.post(messages(talk), {"template": {"name": "invoice", "language": "en", "values": values}})
    assert answer.status_code == 201, answer.json()
    content = from_json(ConversationMessage.objects.get().payload or {})
    assert content == Template(
        "invoice",
        "en",
        (Parameter("Ann", "customer"),),
        text="[document] bill.pdf https://files.example/bill.pdf\nHello Ann\n[button] Pay https://pay.example/17",
        header_media=FileLink("document", "https://files.example/bill.pdf", filename="bill.pdf"),
        button_parameters=(ButtonParameter(0, "url", "17"),),
    )


def test_a_failure_to_list_templates_is_explained(clients: Clients, talk: Conversation, meta: Meta) -> None:
    meta.answer = httpx2.Response(401, json={"error": {"message": "no", "code": 190}})
    for answer in (
        clients.reader.get(f"conversations/{talk.pk}/templates"),
        clients.writer.post(messages(talk), {"template": TEMPLATE}, **KEY),
    ):
        assert answer.status_code == 503
        assert "has expired or is invalid" in answer.json()["detail"]
    assert not ConversationMessage.objects.exists()


def test_a_template_is_sent_once_per_key_and_not_looked_up_again(
    clients: Clients, talk: Conversation, meta: Meta
) -> None:
    first = clients.writer.post(messages(talk), {"template": TEMPLATE}, **KEY)
    meta.answer = httpx2.Response(502, text="<html>")
    again = clients.writer.post(messages(talk), {"template": TEMPLATE}, **KEY)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (len(meta.asked), ConversationMessage.objects.count()) == (1, 1)


def test_a_file_is_sent_and_stored_once_per_key(clients: Clients, talk: Conversation, folder: Path) -> None:
    first = clients.writer.send(files(talk), {"file": bill(), "caption": "Yours"}, **KEY)
    again = clients.writer.send(files(talk), {"file": bill(), "caption": "Yours"}, **KEY)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = clients.writer.send(files(talk), {"file": ContentFile(PDF + b" ", "bill.pdf"), "caption": "Yours"}, **KEY)
    assert (other.status_code, Attachment.objects.count(), stored(folder)) == (409, 1, 1)


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({}, "file"),
        ({"file": "no file"}, "file"),
        ({"file": ContentFile(b"", "empty.pdf")}, "file"),
        ({"file": ContentFile(b"<html>", "page.html")}, "file"),
        ({"file": ContentFile(b"MZ\x90\x00", "run.exe")}, "file"),
        ({"file": ContentFile(PDF, "cake.jpg"), "kind": "image"}, "file"),
        ({"file": ContentFile(OGG, "a.ogg"), "caption": "Hello"}, "file"),
        ({"file": ContentFile(PDF, "a.pdf"), "kind": "sticker"}, "kind"),
        ({"file": ContentFile(PDF, "a.pdf"), "caption": "x" * 1025}, "caption"),
        ({"file": ContentFile(PDF, "a.pdf"), "reply_to": "wamid.no"}, "reply_to"),
    ],
)
def test_a_refused_file_is_not_stored(
    clients: Clients, talk: Conversation, folder: Path, form: dict[str, Any], named: str
) -> None:
    for given in form.values():
        if isinstance(given, ContentFile):
            given.seek(0)
    answer = clients.writer.send(files(talk), form)
    assert (answer.status_code, list(answer.json())) == (400, [named])
    assert (stored(folder), ConversationMessage.objects.count()) == (0, 0)


def test_a_file_that_is_too_large_is_refused(clients: Clients, talk: Conversation, settings: Any) -> None:
    settings.MEDIA_LARGEST_MB = dict.fromkeys(settings.MEDIA_LARGEST_MB, 0.001)
    file = ContentFile(PDF + bytes(2000), "a.pdf")
    assert "too large" in clients.writer.send(files(talk), {"file": file}).json()["file"][0]
