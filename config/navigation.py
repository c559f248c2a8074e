"""The admin's sidebar, most frequently used pages first."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

GROUPS: dict[str, list[tuple[str, str, str]]] = {
    "Desk": [
        ("Conversations", "forum", "conversations.Conversation"),
        ("Leads", "person_search", "leads.Lead"),
    ],
    "Setup": [
        ("Assistant", "smart_toy", "assistant.Assistant"),
        ("WhatsApp accounts", "phone_iphone", "whatsapp.WhatsAppAccount"),
        ("Businesses", "storefront", "tenants.Tenant"),
        ("Members", "group", "tenants.Membership"),
        ("API keys", "key", "api.ApiKey"),
        ("Webhooks", "webhook", "webhooks.WebhookEndpoint"),
    ],
    "Activity": [
        ("Messages", "chat", "conversations.ConversationMessage"),
        ("Turns", "receipt_long", "assistant.Turn"),
        ("Quarantine", "report", "whatsapp.QuarantinedEvent"),
        ("Webhook deliveries", "outgoing_mail", "webhooks.WebhookDelivery"),
        ("Pauses", "pause_circle", "conversations.Pause"),
    ],
    "Installation": [
        ("Users", "manage_accounts", "auth.User"),
        ("Groups", "groups", "auth.Group"),
        ("Jobs", "work_history", "procrastinate.ProcrastinateJob"),
        ("Failed logins", "lock", "axes.AccessAttempt"),
    ],
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    overview = {"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}
    groups = [{"title": title, "items": _items(request, rows)} for title, rows in GROUPS.items()]
    return [{"items": [overview]}, *(group for group in groups if group["items"])]


def _items(request: HttpRequest, rows: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(f"admin:{label.lower().replace('.', '_')}_changelist")}
        for title, icon, label in rows
        if admin.site.get_model_admin(apps.get_model(label)).has_module_permission(request)
    ]
