"""What a message says besides its text reaches the API, webhooks, the desk and the model."""

from typing import Any

import pytest
from django.core.files.base import ContentFile

from api.tests.clients import ApiClient, api_client
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from tenants.models import MemberRole, Tenant
from tenants.tests.people import person
from tests.stage import Stage
from webhooks.models import EventType, WebhookEndpoint, WebhookEvent
from webhooks.signature import new_secret
from whatsapp.tests.factories import inbound, message, text_message

AD = {
    "source_type": "ad",
    "source_id": "1200",
    "source_url": "https://fb.me/xyz",
    "headline": "Chocolate cake with 30 % off",
    "body": "Only this week: 14 euro",
    "ctwa_clid": "ARA_x1",
    "unknown": {"a": 1},
}
TAPS = [
    (
        "interactive",
        {"type": "button_reply", "button_reply": {"id": "order-4711-yes", "title": "Yes"}},
        "order-4711-yes",
    ),
    (
        "interactive",
        {"type": "list_reply", "list_reply": {"id": "apple", "title": "Apple", "description": "24"}},
        "apple",
    ),
    ("button", {"payload": "confirm:4711", "text": "Confirm"}, "confirm:4711"),
]
FORM = {"type": "nfm_reply", "nfm_reply": {"response_json": '{"day": "Monday", "flow_token": "t"}', "name": "flow"}}


@pytest.fixture
def shop(stage: Stage) -> ApiClient:
    """A client of the API; the business has a webhook, too."""
    tenant = Tenant.objects.single()
    endpoint = {"tenant": tenant, "url": "https://shop.example/hook", "secret": new_secret()}
    WebhookEndpoint.objects.create(**endpoint, event_types=[EventType.MESSAGE_RECEIVED])
    return api_client(tenant, person("shop", **{tenant.slug: MemberRole.OWNER}))


def seen(shop: ApiClient) -> tuple[Any, Any]:
    """The customer's newest message, in the API and in the webhook."""
    said = ConversationMessage.objects.filter(role="user").latest("pk")
    listed = shop.get(f"conversations/{said.conversation_id}/messages").json()["results"]
    event = WebhookEvent.objects.get(subject=said.pk, type=EventType.MESSAGE_RECEIVED)
    return next(each for each in listed if each["id"] == said.pk), event.payload["message"]


@pytest.mark.parametrize(("kind", "content", "pk"), TAPS)
def test_the_id_of_a_tapped_button_comes_back(
    stage: Stage, shop: ApiClient, kind: str, content: dict[str, Any], pk: str
) -> None:
    stage.converse(inbound(message(kind, content)))
    for shown in seen(shop):
        assert shown["choice"]["id"] == pk
        assert shown["form"] is None


def test_the_answers_of_a_form_keep_their_names(stage: Stage, shop: ApiClient) -> None:
    stage.converse(inbound(message("interactive", FORM)))
    for shown in seen(shop):
        assert shown["form"] == {"day": "Monday", "flow_token": "t"}
        assert shown["choice"] is None


def test_the_ad_is_shown_to_everyone(stage: Stage, shop: ApiClient) -> None:
    stage.converse(inbound(text_message("Hello")))
    stage.converse(inbound(text_message("Can I get more info on this?", referral=AD)))  # not the first message
    said = ConversationMessage.objects.filter(role="user").latest("pk")
    assert said.text == "Can I get more info on this?"
    for shown in seen(shop):
        assert shown["referral"] == {name: value for name, value in AD.items() if name != "unknown"}
    prompt = str(stage.wire.asked[-1]["messages"])
    assert "(Written from the ad “Chocolate cake with 30 % off: Only this week: 14 euro”)" in prompt


def test_the_desk_shows_the_ad_and_links_only_to_the_web(stage: Stage, shop: ApiClient, admin_client: Any) -> None:
    stage.post(inbound(text_message("Hi", referral=AD | {"source_url": "javascript:alert(1)"})))
    said = ConversationMessage.objects.get(role="user")
    page = admin_client.get(f"/admin/conversations/conversation/{said.conversation_id}/change/").content.decode()
    assert "From an ad: Chocolate cake with 30 % off" in page
    assert "javascript:" not in page


def test_a_file_is_named_with_the_url_to_download_it(
    stage: Stage, shop: ApiClient, settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT, settings.PUBLIC_URL = str(tmp_path), "https://parley.example"
    stage.post(inbound(message("document", {"id": "media-1", "mime_type": "text/plain", "filename": "a.txt"})))
    for shown in seen(shop):
        (file,) = shown["attachments"]
        assert (file["kind"], file["filename"], file["state"]) == ("document", "a.txt", "pending")
        assert file["url"] == f"https://parley.example/api/files/{file['id']}"
    waiting = shop.get(f"files/{file['id']}")
    assert (waiting.status_code, waiting["Retry-After"]) == (409, "5")
    attachment = Attachment.objects.get()
    attachment.file.save("a.txt", ContentFile(b"Two cakes"), save=False)
    attachment.state, attachment.mime_type = "ready", "text/plain"
    attachment.save()
    download = shop.get(f"files/{file['id']}")
    assert download.getvalue() == b"Two cakes"
    assert download["X-Content-Type-Options"] == "nosniff"
    for close_file in download._resource_closers:
        close_file()


def test_a_deleted_message_says_nothing_anymore(stage: Stage, shop: ApiClient) -> None:
    first = message(*TAPS[0][:2])
    stage.post(inbound(first))
    stage.post(inbound(message("revoke", {"original_message_id": first["id"]})))
    event = WebhookEvent.objects.filter(type=EventType.MESSAGE_RECEIVED).earliest("created_at")
    assert (event.payload["message"]["text"], event.payload["message"]["choice"]) == ("", None)
    listed = shop.get(f"conversations/{ConversationMessage.objects.earliest('pk').conversation_id}/messages")
    assert "order-4711-yes" not in listed.content.decode()
