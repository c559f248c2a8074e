"""What a webhook's page shows besides its form: a test event, a new secret, and the last deliveries."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from tenants.scoped_admin import TenantScopedAdmin

from . import delivery as deliveries
from .models import WebhookEndpoint
from .recording import record_test

LAST = 10


class EndpointPage(TenantScopedAdmin):
    """A mixin for the webhook admin, which decides who has access."""

    change_form_template = "webhooks/change_form.html"

    class Media:
        css = {"all": ["tenants/pages.css"]}
        js = ["webhooks/deliveries.js"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/deliveries/", wrap(self.deliveries_view), name="webhooks_deliveries"),
            path("<int:pk>/test/", wrap(require_POST(self.test_view)), name="webhooks_test"),
            path(
                "<int:pk>/deliveries/<int:delivery_id>/send-again/",
                wrap(require_POST(self.send_again_view)),
                name="webhooks_send_again",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        endpoint: WebhookEndpoint | None = self.get_object(request, object_id)
        shown = self._shown(request, endpoint) if endpoint else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def deliveries_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The table alone, for the page's script."""
        endpoint = get_object_or_404(self.get_queryset(request), pk=pk)
        return render(request, "webhooks/deliveries.html", self._shown(request, endpoint))

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        endpoint = self._own(request, pk)
        if endpoint.is_active:
            record_test(endpoint)
            messages.success(request, "The test event is on its way. The response appears under “Last deliveries”.")
        else:
            messages.error(request, "This webhook is off. Switch it on and save it, then send the test event.")
        return redirect("admin:webhooks_webhookendpoint_change", pk)

    def send_again_view(self, request: HttpRequest, pk: int, delivery_id: int) -> HttpResponse:
        endpoint = self._own(request, pk)
        if deliveries.send_again(endpoint.deliveries.filter(pk=delivery_id)):
            messages.success(request, "The delivery is queued again.")
        else:
            messages.warning(request, "This delivery is still waiting, or doesn't exist any more.")
        return redirect("admin:webhooks_webhookendpoint_change", pk)

    def _own(self, request: HttpRequest, pk: int) -> WebhookEndpoint:
        endpoint: WebhookEndpoint = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        return endpoint

    def _shown(self, request: HttpRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
        return {
            "endpoint": endpoint,
            "may_send": self.has_change_permission(request, endpoint),
            "deliveries": endpoint.deliveries.select_related("event").order_by("-pk")[:LAST],
        }
