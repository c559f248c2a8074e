"""Businesses, their members, and users."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from rest_framework.authtoken.models import Token, TokenProxy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from . import deletion, invitations
from .access import NOBODY, is_installation_admin, tenants_of
from .models import Membership, OpeningHours, Tenant
from .scoped_admin import SuperuserAdmin, TenantScopedAdmin

# The stock page shows every admin token. Ours are generated on the users' page and shown once.
admin.site.unregister([User, Group, TokenProxy])


@admin.register(Tenant)
class TenantAdmin(TenantScopedAdmin):
    tenant_path = "pk"
    may_add = may_change = may_delete = NOBODY
    list_display = ["name", "slug", "is_active", "members", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    ordering = ["name", "pk"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.filter(deletion_requested_at=None).annotate(member_count=Count("memberships"))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tenant | None = None) -> dict[str, Any]:
        # A read-only form has no inputs to fill in.
        return dict(self.prepopulated_fields) if self.has_change_permission(request, obj) else {}

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without counting: a job deletes the rows later, and there may be millions."""
        refused = {str(self.opts.verbose_name) for obj in objs if not self.has_delete_permission(request, obj)}
        names = [f"{obj}, with its conversations, leads, files, accounts and keys" for obj in objs]
        return names, {str(self.opts.verbose_name_plural): len(names)}, refused, []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, Tenant.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        deletion.request(list(queryset.values_list("pk", flat=True)))
        messages.info(request, "The business is inactive now. Its data is being deleted in the background.")

    @admin.display(ordering="member_count")
    def members(self, tenant: Any) -> int:
        return int(tenant.member_count)


@admin.register(OpeningHours)
class OpeningHoursAdmin(TenantScopedAdmin):
    nothing_yet = "Without opening hours, the business counts as always open, and its time zone is UTC."
    list_display = ["tenant", "time_zone"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    ordering = ["tenant__name"]


@admin.register(Membership)
class MembershipAdmin(TenantScopedAdmin):
    list_display = ["user", "tenant", "role"]
    list_display_links = ["user"]
    list_filter = ["tenant", "role"]
    list_select_related = ["user", "tenant"]
    search_fields = ["user__username", "user__email", "user__first_name", "user__last_name", "tenant__name"]
    ordering = ["tenant__name", "user__username"]
    fields = ["tenant", "user", "role"]
    actions = ["make_link"]

    def get_form(self, request: HttpRequest, obj: Membership | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = invitations.MemberForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        fields = list(self.fields) if obj else ["tenant", "email", *self.fields[1:]]
        return [(None, {"fields": fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> list[str]:
        return ["tenant", "user"] if obj else []

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if not change and form.cleaned_data.get("email"):
            obj.user = invitations.user_for(form.cleaned_data["email"])
        super().save_model(request, obj, form, change)
        if not obj.user.is_staff:  # only staff can sign in to the admin
            obj.user.is_staff = True
            obj.user.save(update_fields=["is_staff"])
        if not change:
            self._show_link(request, obj.user)

    @admin.action(description="Create a link to set the first password", permissions=["change"])
    def make_link(self, request: HttpRequest, memberships: QuerySet[Membership]) -> None:
        for membership in memberships.select_related("user"):
            if not self._show_link(request, membership.user):
                messages.info(
                    request,
                    f"No link created: {membership.user} already has a password or belongs to another business.",
                )

    def _show_link(self, request: HttpRequest, user: User) -> bool:
        link = invitations.link_for(user, request.user)
        if link:
            messages.success(request, f"Send this link to {user} to set a password: {link}")
        return bool(link)


@admin.register(User)
class UserAdmin(SuperuserAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """Only superusers see the list. Other users may choose from the members of their own businesses."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "is_superuser", "last_login"]
    actions = ["generate_admin_token", "revoke_admin_token"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        if is_installation_admin(request.user):
            return super().get_queryset(request)
        colleagues = Membership.objects.filter(tenant__in=tenants_of(request.user)).values("user")
        return User.objects.filter(pk__in=colleagues)

    @admin.action(description="Generate admin token (shown once; replaces the current token)")
    def generate_admin_token(self, request: HttpRequest, people: "QuerySet[User]") -> None:
        Token.objects.filter(user__in=people).delete()
        for person in people:
            token = Token.objects.create(user=person).key
            messages.warning(
                request, f"Copy the new admin token of {person} now. You won't be able to see it again: {token}"
            )

    @admin.action(description="Revoke admin token")
    def revoke_admin_token(self, request: HttpRequest, people: "QuerySet[User]") -> None:
        revoked, _ = Token.objects.filter(user__in=people).delete()
        messages.success(request, f"{revoked} admin token{'' if revoked == 1 else 's'} revoked.")


@admin.register(Group)
class GroupAdmin(SuperuserAdmin, DjangoGroupAdmin):
    pass
