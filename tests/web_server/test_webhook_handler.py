"""The webhook's own WSGI handler stores whatever a delivery brings. Other tests post through that of all pages."""

from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from django.urls import get_urlconf, set_urlconf

from config.web.application import WebhookHandler
from conversations.models import Conversation, ConversationMessage
from notifications.models import NotificationIncident
from tenants.models import Tenant
from tests.media_at_meta import PDF
from tests.stage import SECRET, WEBHOOK, Json, Stage
from webhooks.models import EventType, WebhookEndpoint, WebhookEvent
from webhooks.signature import new_secret
from whatsapp.models import QuarantinedEvent
from whatsapp.tests.factories import inbound, message, signed, text_message


def deliver(handler: WSGIHandler, data: Json) -> bytes:
    body, signature = signed(data, SECRET)
    request = RequestFactory().post(
        WEBHOOK, body, content_type="application/json", headers={"X-Hub-Signature-256": signature}
    )
    urlconf = get_urlconf()
    try:
        return b"".join(handler(request.environ, lambda status, headers, exc_info=None: bytearray().extend))
    finally:
        set_urlconf(urlconf)


def test_a_file_that_another_system_is_told_of_is_stored(stage: Stage) -> None:
    WebhookEndpoint.objects.create(
        tenant=Tenant.objects.single(), url="https://127.0.0.1/", event_types=list(EventType), secret=new_secret()
    )
    file = stage.wire.media.put(PDF, "application/pdf", filename="bill.pdf")
    assert deliver(WebhookHandler(), inbound(message("document", file))) == b'{"ok":true}'
    assert not QuarantinedEvent.objects.exists()
    (event,) = WebhookEvent.objects.filter(type=EventType.MESSAGE_RECEIVED)
    assert "/api/files/" in event.payload["message"]["attachments"][0]["url"]


def test_a_message_that_the_team_is_notified_of_is_stored(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    Conversation.objects.update(handled_by=Conversation.Handler.OPERATOR)
    assert deliver(WebhookHandler(), inbound(text_message("Is anyone there?"))) == b'{"ok":true}'
    assert not QuarantinedEvent.objects.exists()
    assert ConversationMessage.objects.count() == 2
    talk = Conversation.objects.get()
    assert NotificationIncident.objects.get().path == f"/admin/conversations/conversation/{talk.pk}/change/"
