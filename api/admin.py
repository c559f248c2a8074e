"""API keys in the admin: owners generate, rename and revoke them. Superusers generate admin tokens for users."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse

from accounts.admin import UserAdmin
from api import keys as api_keys
from api.models import AdminToken, ApiKey
from runtime import clock
from tenants.access import NOBODY, OWNERS
from tenants.scoped_admin import TenantScopedAdmin
from tenants.secret_fields import new_secrets_page
from tenants.users import user_of


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

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ApiKey]":
        keys: QuerySet[ApiKey] = super().get_queryset(request)
        return keys.annotate(works=Exists(ApiKey.objects.valid().filter(pk=OuterRef("pk"), tenant__is_active=True)))

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        fields = ["tenant", "name", "scope"]
        return [(None, {"fields": [*fields, *self.read_only_fields] if obj else fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["tenant", "scope", *self.read_only_fields] if obj else []

    def save_model(self, request: HttpRequest, obj: ApiKey, form: "forms.ModelForm[ApiKey]", change: bool) -> None:
        if not change:
            api_keys.generate(obj, user_of(request))
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        text = f"Copy your new API key “{obj}” now. You won't be able to see it again:"
        return new_secrets_page(request, ApiKey, "New API key", [(text, obj.token)])

    @admin.display(description="key", ordering="prefix")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}_…"

    @admin.display(description="state", ordering="revoked_at")
    def state(self, key: Any) -> str:
        if key.revoked_at:
            return f"Revoked {clock.shown(key.revoked_at)}"
        return "Active" if key.works else "Off: its creator has no access, or the business is inactive"

    @admin.action(description="Revoke selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: "QuerySet[ApiKey]") -> None:
        revoked = api_keys.revoke(keys)
        messages.success(request, f"{revoked} API key{'' if revoked == 1 else 's'} revoked.")


admin.site.unregister(User)


@admin.register(User)
class UserWithTokensAdmin(UserAdmin):
    list_display = [*UserAdmin.list_display, "admin_token"]
    actions = [*UserAdmin.actions, "generate_admin_token", "revoke_admin_token"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        until = AdminToken.objects.valid().filter(user=OuterRef("pk")).values("expires_at")[:1]
        people: QuerySet[Any] = super().get_queryset(request).annotate(token_until=Subquery(until))
        return people

    @admin.display(description="admin token")
    def admin_token(self, person: Any) -> str:
        return f"until {person.token_until:%Y-%m-%d}" if person.token_until else "-"

    @admin.action(description="Generate admin token (shown once; replaces the current token)")
    def generate_admin_token(self, request: HttpRequest, people: "QuerySet[User]") -> HttpResponse:
        days = api_keys.ADMIN_TOKEN_SECONDS // 86_400
        text = "Copy the new admin token of {} now. You won't be able to see it again. It works for {} days:"
        tokens = [(text.format(person, days), api_keys.generate_admin_token(person)) for person in people]
        return new_secrets_page(request, User, "New admin token", tokens)

    @admin.action(description="Revoke admin token")
    def revoke_admin_token(self, request: HttpRequest, people: "QuerySet[User]") -> None:
        revoked = api_keys.revoke(AdminToken.objects.filter(user__in=people))
        messages.success(request, f"{revoked} admin token{'' if revoked == 1 else 's'} revoked.")
