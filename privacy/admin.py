"""The pages for erasing people and for how long data is kept. Only owners see them."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html_join

from tenants.access import OWNERS
from tenants.scoped_admin import TenantScopedAdmin

from . import erasing
from .audit_log.admin import AuditEntryAdmin
from .forms import ErasureForm, RetentionForm
from .models import Erasure, RetentionPolicy

__all__ = ["AuditEntryAdmin", "ErasureAdmin", "RetentionPolicyAdmin"]  # the first is imported to register it


@admin.register(Erasure)
class ErasureAdmin(TenantScopedAdmin):
    form = ErasureForm
    may_view = OWNERS
    nothing_yet = "To erase everything you have about a person, add an erasure with their phone number."
    list_display = ["__str__", "tenant", "state", "requested_by", "requested_at", "receipt"]
    list_filter = ["tenant"]
    list_select_related = ["tenant", "requested_by"]
    ordering = ["-requested_at"]
    fields = ["tenant", "state", "requested_by", "requested_at", "finished_at", "conversation_ids", "receipt"]
    readonly_fields = ["state", "requested_by", "requested_at", "finished_at", "conversation_ids", "receipt"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it's a receipt

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ["tenant", "person", "confirmed"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        erasure = erasing.request(form.cleaned_data["found"], request.user)
        obj.pk = erasure.pk
        messages.info(request, "Their data is being erased. The receipt appears here when it's done.")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, "")  # not whom it's about

    @admin.display(description="state")
    def state(self, erasure: Erasure) -> str:
        return "Finished" if erasure.finished_at else "Being erased"

    @admin.display(description="conversations")
    def conversation_ids(self, erasure: Erasure) -> str:
        return ", ".join(map(str, erasure.conversations)) or "None"

    @admin.display(description="erased")
    def receipt(self, erasure: Erasure) -> str:
        rows = ((f"{count:,}", name) for name, count in sorted(erasure.erased.items()))
        return format_html_join(", ", "{} {}", rows) or "-"


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(TenantScopedAdmin):
    form = RetentionForm
    may_view = OWNERS
    nothing_yet = "Everything is kept until the business is deleted. To delete old data automatically, add a policy."
    list_display = ["tenant", "messages_days", "files_days", "quarantine_days"]
    list_select_related = ["tenant"]
    ordering = ["tenant__name"]
    fields = ["tenant", "messages_days", "files_days", "quarantine_days", "confirmed"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        RetentionPolicy.objects.filter(pk=obj.pk).update(position=0, next_at=obj._meta.get_field("next_at").db_default)
