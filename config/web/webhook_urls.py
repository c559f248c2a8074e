"""What the webhook's own processes serve."""

from django.urls import path

from operations import health
from whatsapp.webhook.views import WebhookView

from .limits import WEBHOOK

urlpatterns = [
    path(WEBHOOK.removeprefix("/"), WebhookView.as_view(), name="webhook"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
