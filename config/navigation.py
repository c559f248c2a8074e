"""The admin's sidebar, most frequently used pages first."""

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from conversations.models import Conversation
from tenants.access import ANYONE, has_role_anywhere

GROUPS: dict[str, list[tuple[str, str, str]]] = {
    "Desk": [("Conversations", "forum", "conversations.Conversation"), ("Leads", "person_search", "leads.Lead")],
    "Setup": [
        ("Assistant", "smart_toy", "assistant.Assistant"),
        ("Knowledge", "menu_book", "knowledge.Source"),
        ("Unanswered questions", "contact_support", "knowledge.UnansweredQuestion"),
        ("Opening hours", "schedule", "tenants.OpeningHours"),
        ("Notifications", "notifications_active", "notifications.NotificationSettings"),
        ("Lead fields", "contact_page", "leads.LeadField"),
        ("WhatsApp accounts", "phone_iphone", "whatsapp.WhatsAppAccount"),
        ("Businesses", "storefront", "tenants.Tenant"),
        ("Members", "group", "tenants.Membership"),
        ("Invitations", "mail", "tenants.Invitation"),
        ("Sign-in rules", "verified_user", "tenants.SignInRules"),
        ("API keys", "key", "api.ApiKey"),
        ("Webhooks", "webhook", "webhooks.WebhookEndpoint"),
    ],
    "Activity": [
        ("Messages", "chat", "conversations.ConversationMessage"),
        ("Turns", "receipt_long", "assistant.Turn"),
        ("Quarantine", "report", "whatsapp.QuarantinedEvent"),
        ("Webhook deliveries", "outgoing_mail", "webhooks.WebhookDelivery"),
        ("Sent notifications", "notifications", "notifications.NotificationDelivery"),
        ("Pauses", "pause_circle", "conversations.Pause"),
    ],
    "Data protection": [
        ("Retention", "auto_delete", "privacy.RetentionPolicy"),
        ("Erasures", "person_remove", "privacy.Erasure"),
    ],
    "Installation": [
        ("Users", "manage_accounts", "auth.User"),
        ("Groups", "groups", "auth.Group"),
        ("Jobs", "work_history", "procrastinate.ProcrastinateJob"),
        ("Failed logins", "lock", "axes.AccessAttempt"),
    ],
}


def navigation(request: HttpRequest) -> list[dict[str, object]]:
    first: list[dict[str, object]] = [{"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}]
    if has_role_anywhere(request.user, ANYONE):
        link = reverse("admin:notifications_mine")
        first.append({"title": "My notifications", "icon": "notifications", "link": link})
    groups: list[dict[str, object]] = [
        {"title": title, "items": items} for title, rows in GROUPS.items() if (items := _items(request, rows))
    ]
    documentation: dict[str, object] = {"title": "API documentation", "icon": "menu_book", "link": reverse("docs")}
    return [{"items": first}, *groups, {"items": [documentation]}]


def account(request: HttpRequest) -> list[dict[str, object]]:
    """The links in the menu under the user's name."""
    links: list[dict[str, object]] = [
        {"title": "Change password", "link": reverse("admin:password_change")},
        {"title": "Two-factor authentication", "link": reverse("mfa_index")},
        {"title": "Sessions", "link": reverse("sessions")},
    ]
    if admin.site.get_model_admin(Conversation).has_module_permission(request):
        links.insert(0, {"title": "Your settings", "link": reverse("admin:conversations_preferences")})
    return links


def _items(request: HttpRequest, rows: list[tuple[str, str, str]]) -> list[dict[str, object]]:
    return [
        {"title": title, "icon": icon, "link": reverse(f"admin:{label.lower().replace('.', '_')}_changelist")}
        for title, icon, label in rows
        if admin.site.get_model_admin(apps.get_model(label)).has_module_permission(request)
    ]
