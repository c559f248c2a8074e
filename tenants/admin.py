"""Businesses, their rules for signing in, and their members."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from audit.watching import quietly
from runtime import clock

from . import deletion
from .access import NOBODY, OWNERS, has_role, is_installation_admin, tenants_of
from .empty_states import EmptyState
from .invitations import inviting
from .invitations.forms import MemberForm
from .models import Invitation, MemberRole, Membership, OpeningHours, SignInRules, Tenant
from .scoped_admin import ReadOnlyAdmin, TenantScopedAdmin
from .secret_fields import new_secrets_page
from .suspension.pages import SuspensionPages
from .users import user_of


@admin.register(Tenant)
class TenantAdmin(SuspensionPages):
    tenant_path = "pk"
    may_add = may_delete = NOBODY  # owners may only rename theirs
    list_display = ["name", "slug", "is_active", "members", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    ordering = ["name", "pk"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["is_active", "created_at"]  # the former changes on the pages of its suspension

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        fixed = [] if is_installation_admin(request.user) else ["slug"]
        return [*fixed, *self.readonly_fields]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.filter(deletion_requested_at=None).annotate(member_count=Count("memberships"))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tenant | None = None) -> dict[str, Any]:
        # A read-only slug has no input to fill in.
        return dict(self.prepopulated_fields) if is_installation_admin(request.user) else {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tenant = self.get_object(request, object_id)
        owns = tenant is not None and has_role(request.user, OWNERS, tenant.pk)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "owns": owns})

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
    nothing_yet = "Without opening hours, the business is considered always open, and its time zone is UTC."
    list_display = ["tenant", "time_zone"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    ordering = ["tenant__name"]


@admin.register(SignInRules)
class SignInRulesAdmin(TenantScopedAdmin):
    nothing_yet = "Without rules, two-factor authentication is optional for everyone."
    list_display = ["tenant", "required_for"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]
    ordering = ["tenant__name"]
    fields = ["tenant", "two_factor_roles"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "two_factor_roles":
            return forms.TypedMultipleChoiceField(
                choices=MemberRole.choices,
                required=False,
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
                label="Require two-factor authentication for",
                help_text=db_field.help_text,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description="two-factor authentication required for")
    def required_for(self, rules: SignInRules) -> str:
        return ", ".join(f"{role}s" for role in rules.two_factor_roles) or "no one"


@admin.register(Membership)
class MembershipAdmin(TenantScopedAdmin):
    list_display = ["user", "tenant", "role"]
    list_display_links = ["user"]
    list_filter = ["tenant", "role"]
    list_select_related = ["user", "tenant"]
    search_fields = ["user__username", "user__email", "user__first_name", "user__last_name", "tenant__name"]
    ordering = ["tenant__name", "user__username"]
    fields = ["tenant", "user", "role"]

    def get_form(self, request: HttpRequest, obj: Membership | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = type("MemberForm", (MemberForm,), {"invited_by": request.user})
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        if obj:
            return [(None, {"fields": self.fields})]
        # Whoever owns one business alone has nobody to choose from who isn't a member already.
        may_choose = is_installation_admin(request.user) or len(tenants_of(request.user, OWNERS)) > 1
        return [(None, {"fields": ["tenant", "email", *(["user"] if may_choose else []), "role"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> list[str]:
        return ["tenant", "user"] if obj else []

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Membership | Invitation:
        """A membership, or an invitation if an email address was entered. Neither is saved yet."""
        membership: Membership = super().save_form(request, form, change)
        email = "" if change else form.cleaned_data["email"]
        if not email:
            return membership
        return Invitation(tenant=membership.tenant, email=email, role=membership.role, invited_by=user_of(request))

    def save_model(self, request: HttpRequest, obj: Membership | Invitation, form: Any, change: bool) -> None:
        if isinstance(obj, Invitation):
            if not has_role(request.user, self.may_add, obj.tenant_id):
                raise PermissionDenied
            obj.link = inviting.invite(obj)
            return
        super().save_model(request, obj, form, change)
        if not obj.user.is_staff:  # only staff can sign in to the admin
            obj.user.is_staff = True
            with quietly():
                obj.user.save(update_fields=["is_staff"])

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if isinstance(obj, Invitation):
            return new_secrets_page(request, Invitation, "Invitation", [(what_is_next(obj), obj.link)])
        return super().response_add(request, obj, post_url_continue)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Invitations that are open. Owners add them on the page of the members, renew them here, or delete them."""

    may_view = may_change = OWNERS  # to renew them: the rows themselves are read-only
    list_display = ["email", "tenant", "role", "invited_by", "state", "expires_at"]
    list_filter = ["tenant", "role"]
    list_select_related = ["tenant", "invited_by"]
    search_fields = ["email", "tenant__name"]
    ordering = ["-pk"]
    actions = ["renew"]
    fields = ["email", "tenant", "role", "invited_by", "state", "created_at", "expires_at"]
    readonly_fields = ["state", "created_at", "expires_at"]

    def empty_state(self, request: HttpRequest) -> EmptyState:
        text = "Invitations that are open are listed here. To invite someone, add them as a member."
        return EmptyState("No open invitations", text, reverse("admin:tenants_membership_add"), "Add member")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(OWNERS, request, obj)

    @admin.display(description="state")
    def state(self, invitation: Invitation) -> str:
        if invitation.by_email:
            return f"Emailed {clock.shown(invitation.emailed_at)}" if invitation.emailed_at else "Being emailed"
        return "Waiting for the link to be opened" if invitation.token_hash else "Waiting for them to sign in"

    @admin.action(description="Renew (a new link replaces the old one)", permissions=["repeat"])
    def renew(self, request: HttpRequest, invitations: QuerySet[Invitation]) -> HttpResponse:
        renewed = []
        for invitation in invitations:
            invitation.invited_by = user_of(request)
            invitation.link = inviting.renew(invitation)
            renewed.append((what_is_next(invitation), invitation.link))
        return new_secrets_page(request, Invitation, "Invitations", renewed)


def what_is_next(invitation: Invitation) -> str:
    """Tells the inviter how the person they've just invited becomes a member."""
    email = invitation.email
    if inviting.account_of(email):
        text = f"{email} already has an account. They become a member once they sign in and accept your invitation."
        return f"{text} We're also sending them an email." if invitation.by_email else text
    if invitation.by_email:
        return f"We're sending a link to {email}. They become a member once they open it and choose a password."
    text = f"Send this link to {email}. You won't be able to see it again. It works for a week, to create one account."
    if User.objects.filter(username__iexact=email).exists():
        text += (
            f" Note that {email} already has an account, but its owner hasn't confirmed the address. "
            "The link creates another account, so make sure that it reaches the right person."
        )
    return text
