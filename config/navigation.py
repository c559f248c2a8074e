"""The admin's sidebar, most frequently used pages first."""

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from conversations.models import Conversation
from tenants.access import ANYONE, OWNERS, has_role_anywhere
from tenants.scoped_admin import TenantScopedAdmin

DESK, SETUP = "Desk", "Setup"
GROUPS: dict[str, list[tuple[str, str, str]]] = {
    DESK: [("Conversations", "forum", "conversations.Conversation"), ("Leads", "person_search", "leads.Lead")],
    SETUP: [
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
        ("Audit log", "history", "audit.AuditEntry"),
        ("Exports", "download", "privacy.Export"),
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
        {"title": title, "items": items}
        for title, rows in GROUPS.items()
        if (items := [_item(*row) for row in rows if _is_for(request, title, row[-1])])
    ]
    if has_role_anywhere(request.user, OWNERS):
        groups.append({"items": [{"title": "API documentation", "icon": "menu_book", "link": reverse("docs")}]})
    return [{"items": first}, *groups]


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


def _item(title: str, icon: str, label: str) -> dict[str, object]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{label.lower().replace('.', '_')}_changelist")}


def _is_for(request: HttpRequest, group: str, label: str) -> bool:
    """Owners see everything that they have access to. Others see the desk, and the settings that they may change."""
    page, user = admin.site.get_model_admin(apps.get_model(label)), request.user
    if not page.has_module_permission(request):
        return False
    if group == DESK or has_role_anywhere(user, OWNERS):
        return True
    return group == SETUP and isinstance(page, TenantScopedAdmin) and has_role_anywhere(user, page.may_change)
