"""API keys in the admin: owners generate, rename and revoke them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from api import keys as api_keys
from api.models import ApiKey
from tenants.access import NOBODY, OWNERS
from tenants.scoped_admin import TenantScopedAdmin


@admin.register(ApiKey)
class ApiKeyAdmin(TenantScopedAdmin):
    """A key is shown once, when it's generated. After that it can only be renamed or revoked."""

    may_view = OWNERS
    may_delete = NOBODY  # a revoked key stays as a record of who created it
    nothing_yet = "Generate a key to let your own systems use the REST API."
    list_display = ["name", "shown_prefix", "tenant", "scope", "created_by", "created_at", "last_used_at", "state"]
    list_filter = ["tenant", "scope", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["tenant", "created_by"]
    search_fields = ["name", "prefix", "tenant__name"]
    ordering = ["-created_at", "-pk"]
    actions = ["revoke"]
    read_only_fields = ["shown_prefix", "created_by", "created_at", "last_used_at", "state"]

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        fields = ["tenant", "name", "scope"]
        return [(None, {"fields": [*fields, *self.read_only_fields] if obj else fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["tenant", "scope", *self.read_only_fields] if obj else []

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool) -> None:
        token = "" if change else api_keys.generate(obj, request.user)  # type: ignore[arg-type]
        super().save_model(request, obj, form, change)
        if token:
            messages.warning(request, f"Copy your new API key “{obj}” now. You won't be able to see it again: {token}")

    @admin.display(description="key", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}_…"

    @admin.display(description="state", ordering="revoked_at")
    def state(self, key: ApiKey) -> str:
        return f"Revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else "Active"

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: "QuerySet[ApiKey]") -> None:
        revoked = api_keys.revoke(keys)
        messages.success(request, f"{revoked} API key{'' if revoked == 1 else 's'} revoked.")
