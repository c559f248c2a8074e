"""The log of notifications, and a business's settings."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import ForeignKey
from django.http import HttpRequest
from unfold.admin import StackedInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from tenants.access import OWNERS, for_user
from tenants.models import Membership
from tenants.scoped_admin import TenantScopedAdmin

from .choices import Kind
from .models import NotificationDelivery, NotificationRecipient, NotificationSettings
from .my_page import MyPage


@admin.register(NotificationDelivery)
class NotificationDeliveryAdmin(MyPage):
    """What was sent, to whom, and why something wasn't."""

    may_view = OWNERS
    nothing_yet = "Notifications sent to your team appear here."
    list_display = ["created_at", "about", "user", "channel", "state", "attempts", "error_summary", "sent_at"]
    list_filter = ["tenant", "channel", "state", "incident__kind"]
    list_select_related = ["incident", "user", "tenant"]
    search_fields = ["incident__title", "user__username", "error"]
    ordering = ["-pk"]
    fields = [
        *("tenant", "about", "text", "count", "user", "channel", "target", "state", "attempts", "next_attempt_at"),
        *("error", "created_at", "sent_at"),
    ]
    readonly_fields = ["about", "text", "count"]

    @admin.display(description="about")
    def about(self, delivery: NotificationDelivery) -> str:
        if delivery.incident:
            return delivery.incident.title
        return "Daily email" if delivery.collected.exists() else "Test"

    @admin.display(description="text")
    def text(self, delivery: NotificationDelivery) -> str:
        return delivery.incident.text if delivery.incident else ""

    @admin.display(description="happened (times)")
    def count(self, delivery: NotificationDelivery) -> int | None:
        return delivery.incident.count if delivery.incident else None

    @admin.display(description="error")
    def error_summary(self, delivery: NotificationDelivery) -> str:
        return delivery.error[:80]


class RecipientInline(StackedInline):  # type: ignore[misc]  # unfold has no types
    model = NotificationRecipient
    fields = ["membership", "position", "kinds"]
    extra = 0
    hide_title = True
    verbose_name_plural = "Who is notified, and in which order (leave empty for: operators first, then owners)"

    # Those who may see and change the settings may do so with their parts.

    def has_view_permission(self, request: HttpRequest, obj: NotificationSettings | None = None) -> bool:
        return self._settings.has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: NotificationSettings | None = None) -> bool:
        return self._settings.has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: NotificationSettings | None = None) -> bool:
        return self._settings.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: NotificationSettings | None = None) -> bool:
        return self._settings.has_change_permission(request, obj)

    @property
    def _settings(self) -> TenantScopedAdmin:
        found: TenantScopedAdmin = self.admin_site.get_model_admin(NotificationSettings)
        return found

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any]", request: HttpRequest, **kwargs: Any) -> Any:
        members = for_user(Membership.objects.select_related("user", "tenant"), request.user, "tenant", OWNERS)
        return super().formfield_for_foreignkey(db_field, request, **{"queryset": members, **kwargs})

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kinds":
            return forms.TypedMultipleChoiceField(
                choices=Kind.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget, label="Notified of"
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(NotificationSettings)
class NotificationSettingsAdmin(TenantScopedAdmin):
    nothing_yet = "Without settings, operators are notified first, and owners 10 minutes later if no one reacts."
    list_display = ["tenant", "unanswered_minutes", "escalate_minutes", "budget_percent"]
    list_display_links = ["tenant"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    ordering = ["tenant__name"]
    inlines = [RecipientInline]
