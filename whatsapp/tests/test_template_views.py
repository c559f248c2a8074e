"""The page "Send a template": who may send which template, and what they see."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from conversations import handover
from conversations.models import Conversation, ConversationMessage
from conversations.outbox import contents
from conversations.outbox.contents import Parameter, Template
from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses
from tests.fake_network import FakeNetwork
from whatsapp.message_templates import catalogue
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db

BODY = {"type": "BODY", "text": "Hello {{1}}, your order {{2}} is ready."}
TEXT_HEADER = {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"}
LIST: list[dict[str, Any]] = [
    {"name": "order_update", "language": "en", "status": "APPROVED", "category": "UTILITY", "components": [BODY]},
    {"name": "headed", "language": "en", "status": "APPROVED", "components": [TEXT_HEADER, BODY]},
    {"name": "rejected", "language": "en", "status": "REJECTED", "components": [BODY]},
    {
        "name": "bill",
        "language": "en",
        "status": "APPROVED",
        "components": [{"type": "HEADER", "format": "DOCUMENT"}, BODY],
    },
    {
        "name": "carousel",
        "language": "en",
        "status": "APPROVED",
        "components": [BODY, {"type": "CAROUSEL", "cards": []}],
    },
    {"name": "bare", "language": "en", "status": "APPROVED", "components": None},
]


class Meta:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = httpx2.Response(200, json={"data": LIST})
        self.slow = 0.0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(self.slow)
        self.asked.append(f"{request.url.path} {request.headers['Authorization']}")
        return self.answer


@pytest.fixture
def meta(settings: Any, network: FakeNetwork) -> Meta:
    settings.MULTITENANT_ENABLED = True
    network.graph = meta = Meta()
    return meta


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    talk = conversation(businesses.ours, last_inbound_at=None)
    WhatsAppAccount.objects.create(
        tenant=businesses.ours, phone_number_id=talk.phone_number_id, access_token="our-token", waba_id="707"
    )
    return talk


def page(of: Conversation) -> str:
    return f"/admin/conversations/conversation/{of.pk}/template/"


def test_it_lists_approved_templates(meta: Meta, businesses: TwoBusinesses, ours: Conversation) -> None:
    shown = businesses.browser("operator").get(page(ours)).content.decode()
    names = [name for name in (one["name"] for one in LIST) if f'value="{name}"' in shown]
    assert names == ["order_update", "headed", "bill"]
    assert "Hello {{1}}, your order {{2}} is ready." in shown
    assert "carousel (en): unsupported component: carousel" in shown
    assert "rejected" not in shown
    assert meta.asked == ["/v24.0/707/message_templates Bearer our-token"]


def test_the_templates_of_a_number_that_went_to_another_business_are_not_shown(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, settings: Any
) -> None:
    settings.MULTITENANT_ENABLED = True
    WhatsAppAccount.objects.update(tenant=businesses.theirs)
    shown = businesses.browser("operator").get(page(ours)).content.decode()
    assert "belongs to another business now" in shown
    assert meta.asked == []


def test_sending_takes_over_the_conversation(meta: Meta, businesses: TwoBusinesses, ours: Conversation) -> None:
    form = {"name": "headed", "language": "en", "value": ["17", "Ann", "17"]}
    assert businesses.browser("operator").post(page(ours), form).status_code == 302
    message = ConversationMessage.objects.get()
    assert (message.kind, message.status, message.author) == ("template", "queued", businesses.people["operator"])
    assert message.text == "Order 17\nHello Ann, your order 17 is ready."
    assert contents.from_json(message.payload or {}) == Template(
        "headed", "en", (Parameter("Ann"), Parameter("17")), header=(Parameter("17"),), text=message.text
    )
    ours.refresh_from_db()
    assert ours.handled_by == "operator"


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def bill_form(data: bytes, order: str = "17") -> dict[str, Any]:
    file = SimpleUploadedFile("bill.pdf", data, "application/pdf")
    return {"name": "bill", "language": "en", "value": ["", "Ann", order], "file": file}


def test_an_uploaded_file_becomes_the_header_and_is_shown(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, folder: Path
) -> None:
    client = businesses.browser("operator")
    shown = client.post(page(ours), bill_form(b"%PDF-1.7\n"), follow=True).content.decode()
    message = ConversationMessage.objects.get()
    assert message.text == "[document] bill.pdf\nHello Ann, your order 17 is ready."
    attachment = message.attachments.get()
    assert (attachment.filename, attachment.state, attachment.mime_type) == ("bill.pdf", "ready", "application/pdf")
    assert f"/attachments/{attachment.pk}/" in shown
    assert len(files_in(folder)) == 1


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        (bill_form(b"<html>"), "accept HTML files"),
        (bill_form(b"%PDF-1.7\n", order=" "), "value for 2 is missing"),
        ({"name": "bill", "language": "en", "value": ["", "Ann", "17"]}, "value for header document is missing"),
    ],
)
def test_the_file_of_a_refused_template_is_deleted(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, folder: Path, form: dict[str, Any], reason: str
) -> None:
    shown = businesses.browser("operator").post(page(ours), form).content.decode()
    assert reason in shown
    assert 'name="value" value="Ann"' in shown, "the submitted values are kept"
    assert shown.count("<details") == 3
    assert (
        shown.index('<details class="page-panel" open>') < shown.index("Template bill") < shown.index("Template headed")
    )
    assert not ConversationMessage.objects.exists()
    assert not files_in(folder)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"name": "order_update", "language": "en", "value": ["Ann"]}, "needs 2 values"),
        ({"name": "order_update", "language": "en", "value": ["Ann", " "]}, "is missing"),
        ({"name": "order_update", "language": "en", "value": ["Ann", "7" * 1025]}, "allows 1024"),
        ({"name": "carousel", "language": "en", "value": ["Ann", "7"]}, "be sent from here"),
        ({"name": "rejected", "language": "en", "value": ["Ann", "7"]}, "This template isn&#x27;t approved."),
        ({}, "This template isn&#x27;t approved."),
    ],
)
def test_invalid_values_are_refused(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, form: dict[str, Any], reason: str
) -> None:
    assert reason in businesses.browser("operator").post(page(ours), form).content.decode()
    assert not ConversationMessage.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("stranger", 404), ("nobody", 404), ("owner", 200)])
def test_only_operators_of_the_business_may_send(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, who: str, status: int
) -> None:
    client = businesses.browser(who)
    assert client.get(page(ours)).status_code == status
    client.post(page(ours), {"name": "order_update", "language": "en", "value": ["Ann", "7"]})
    assert ConversationMessage.objects.count() == (1 if who == "owner" else 0)


def test_it_refuses_while_someone_else_handles_the_conversation(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation
) -> None:
    handover.take_over(ours.pk, businesses.people["owner"])
    form = {"name": "order_update", "language": "en", "value": ["Ann", "7"]}
    shown = businesses.browser("operator").post(page(ours), form).content.decode()
    assert "our-owner is handling this conversation. Take over to reply." in shown
    assert not ConversationMessage.objects.exists()


def test_an_endless_list_times_out(meta: Meta, businesses: TwoBusinesses, ours: Conversation, settings: Any) -> None:
    settings.GRAPH_SECONDS = 0.05
    meta.answer = httpx2.Response(200, json={"data": LIST, "paging": {"cursors": {"after": "a"}, "next": "more"}})
    meta.slow = 0.03
    assert "in time" in businesses.browser("operator").get(page(ours)).content.decode()
    assert len(meta.asked) < catalogue.PAGES


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(401, json={"error": {"message": "no", "code": 190}}), "has expired or is invalid"),
        (httpx2.Response(502, text="<html>"), "isn&#x27;t Meta&#x27;s JSON"),
        (httpx2.Response(200, json={"data": None}), "no approved templates"),
    ],
)
def test_it_says_why_no_templates_are_listed(
    meta: Meta, businesses: TwoBusinesses, ours: Conversation, answer: httpx2.Response, words: str
) -> None:
    meta.answer = answer
    assert words in businesses.browser("operator").get(page(ours)).content.decode()


def test_it_says_which_setting_is_missing(meta: Meta, businesses: TwoBusinesses, ours: Conversation) -> None:
    client = businesses.browser("operator")
    WhatsAppAccount.objects.update(waba_id="")
    assert "Enter it in the WhatsApp account" in client.get(page(ours)).content.decode()
    WhatsAppAccount.objects.update(access_token="")
    assert "has no access token" in client.get(page(ours)).content.decode()


def test_the_conversation_links_to_it(meta: Meta, businesses: TwoBusinesses, ours: Conversation) -> None:
    shown = businesses.browser("operator").get(f"/admin/conversations/conversation/{ours.pk}/change/").content.decode()
    assert page(ours) in shown
    assert meta.asked == [], "the templates are only fetched on their page"


def test_a_single_business_uses_the_environment(meta: Meta, businesses: TwoBusinesses, settings: Any) -> None:
    settings.MULTITENANT_ENABLED, settings.WHATSAPP_WABA_ID = False, "808"
    settings.WHATSAPP_ACCESS_TOKEN = "the-token"
    businesses.browser("superuser").get(page(conversation(None)))
    assert meta.asked == ["/v24.0/808/message_templates Bearer the-token"]
