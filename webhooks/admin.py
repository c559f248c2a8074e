"""A business's webhooks, and the log of their deliveries."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from tenants.access import OWNERS
from tenants.scoped_admin import ReadOnlyAdmin, as_html
from tenants.secret_fields import new_secrets_page

from . import delivery as deliveries
from . import signature
from .endpoint_page import EndpointPage
from .models import SUBSCRIBABLE, WebhookDelivery, WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(EndpointPage):
    list_display = ["url", "tenant", "events", "state", "failing_since"]
    list_filter = ["tenant", "is_active"]
    list_select_related = ["tenant"]
    search_fields = ["url", "tenant__name"]
    ordering = ["pk"]
    actions = ["generate_secret"]
    nothing_yet = "Add a URL to send events, such as new leads and messages, to your own systems."
    fields = ["tenant", "url", "event_types", "is_active"]
    readonly_fields = ["state", "failing_since", "created_at"]

    def get_fieldsets(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return [(None, {"fields": [*self.fields, *self.readonly_fields] if obj else self.fields})]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "event_types":
            return forms.TypedMultipleChoiceField(
                choices=SUBSCRIBABLE, widget=UnfoldAdminCheckboxSelectMultipleWidget, label="Events"
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if obj.is_active and obj.disabled_reason:
            obj.disabled_reason, obj.failing_since = "", None
        if not change:
            obj.secret = signature.new_secret()
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_secrets(request, [obj])

    @admin.display(description="events")
    def events(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.event_types)

    @admin.display(description="state", ordering="is_active")
    def state(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.is_active:
            return "Failing" if endpoint.failing_since else "Active"
        return f"Disabled automatically: {endpoint.disabled_reason}" if endpoint.disabled_reason else "Off"

    @admin.action(description="Generate new secret (shown once; replaces the current secret)", permissions=["change"])
    def generate_secret(self, request: HttpRequest, endpoints: QuerySet[WebhookEndpoint]) -> HttpResponse:
        changed = list(endpoints)
        for endpoint in changed:
            endpoint.secret = signature.new_secret()
            endpoint.save(update_fields=["secret"])
        return self._show_secrets(request, changed)

    def _show_secrets(self, request: HttpRequest, endpoints: list[WebhookEndpoint]) -> HttpResponse:
        text = "Copy the secret of {} now. You won't be able to see it again:"
        secrets = [(text.format(endpoint), endpoint.secret) for endpoint in endpoints]
        return new_secrets_page(request, WebhookEndpoint, "New secret", secrets)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    tenant_path = "endpoint__tenant"
    may_change = OWNERS  # to send again: the rows themselves are read-only
    list_display = ["id", "type", "endpoint", "status", "attempts", "response_code", "error_summary", "happened_at"]
    list_filter = ["endpoint__tenant", "status", "event__type", ("event__created_at", admin.DateFieldListFilter)]
    list_select_related = ["event", "endpoint"]
    search_fields = ["=event__id", "endpoint__url", "error"]
    search_help_text = "A full event ID, part of a URL, or part of an error"
    ordering = ["-pk"]
    actions = ["send_again"]
    fields = [
        "endpoint",
        "event_id_text",
        "type",
        "happened_at",
        "status",
        "attempts",
        "next_attempt_at",
        "response_code",
        "error",
        "delivered_at",
        "body",
    ]
    readonly_fields = ["event_id_text", "type", "happened_at", "body"]

    @admin.display(description="event")
    def event_id_text(self, delivery: WebhookDelivery) -> str:
        return str(delivery.event_id)

    @admin.display(description="type", ordering="event__type")
    def type(self, delivery: WebhookDelivery) -> str:
        return delivery.event.type

    @admin.display(description="happened at", ordering="event__created_at")
    def happened_at(self, delivery: WebhookDelivery) -> dt.datetime:
        return delivery.event.created_at

    @admin.display(description="error")
    def error_summary(self, delivery: WebhookDelivery) -> str:
        return delivery.error[:80]

    @admin.display(description="data")
    def body(self, delivery: WebhookDelivery) -> str:
        return as_html(delivery.event.payload)

    @admin.action(description="Send again", permissions=["repeat"])
    def send_again(self, request: HttpRequest, selected: QuerySet[WebhookDelivery]) -> None:
        queued = deliveries.send_again(WebhookDelivery.objects.filter(pk__in=selected.values("pk")))
        plural = "delivery" if queued == 1 else "deliveries"
        messages.success(request, f"{queued} {plural} queued again. Deliveries that are still waiting were skipped.")
