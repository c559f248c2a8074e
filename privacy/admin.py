"""The pages for erasing people and for how long data is kept. Only owners see them."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.http import urlencode

from conversations.desk import extensions
from conversations.models import Conversation
from tenants.access import OWNERS, Suspended, has_role, is_installation_admin, suspended_businesses
from tenants.models import Tenant
from tenants.scoped_admin import TenantScopedAdmin
from tenants.users import user_of

from . import erasing
from .audit_log.admin import AuditEntryAdmin
from .exporting.admin import ExportAdmin
from .forms import ErasureForm, RetentionForm
from .models import Erasure, RetentionPolicy

# The first and the third are imported to register them.
__all__ = ["AuditEntryAdmin", "ErasureAdmin", "ExportAdmin", "RetentionPolicyAdmin"]


@extensions.register(extensions.links)
def links_of_a_person(request: HttpRequest, conversation: Conversation) -> list[tuple[str, str]]:
    if not has_role(request.user, OWNERS, conversation.tenant_id):
        return []
    whom = urlencode({"tenant": str(conversation.tenant_id), "person": conversation.external_id})
    pages = (("export", "Export this person’s data"), ("erasure", "Erase this person"))
    return [(f"{reverse(f'admin:privacy_{name}_add')}?{whom}", label) for name, label in pages]


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


@extensions.register(extensions.banners)
def suspended_banner(request: HttpRequest) -> str:
    """For superusers, and for members of several businesses. The others of a suspended one see nothing else anyway."""
    user = user_of(request)
    if is_installation_admin(user):
        rows = Tenant.objects.filter(is_active=False, deletion_requested_at=None).order_by("name")
        suspended = [Suspended(*row) for row in rows.values_list("name", "suspension_note")]
    else:
        suspended = suspended_businesses(user)
    return render_to_string("privacy/suspended.html", {"suspended": suspended}) if suspended else ""
