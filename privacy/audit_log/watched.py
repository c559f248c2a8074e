"""Which changes are in the audit log: those of every model that the admin can change, and of a few others."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model

from api.models import AdminToken, ApiKey
from audit.choices import Action
from audit.recording import businesses_of
from audit.watching import Watched, watch
from conversations.models import Conversation
from knowledge.models import Source, UnansweredQuestion
from leads.models import Lead
from notifications.models import NotificationRecipient
from privacy.models import Erasure, Export
from tenants.access import tenant_id_of
from tenants.invitations.inviting import offer
from tenants.models import Invitation, Membership, Tenant
from tenants.scoped_admin import SuperuserAdmin, TenantScopedAdmin
from tenants.secret_fields import secret_names

# Rows about a customer, or with words that may be a customer's.
PERSONAL: tuple[type[Model], ...] = (Conversation, Lead, Source, UnansweredQuestion, Erasure, Export)
CODES = Authenticator.Type.RECOVERY_CODES


def watch_everything() -> None:
    for model, page in admin.site._registry.items():
        if isinstance(page, TenantScopedAdmin) and (not page.read_only or model is Invitation):
            watch(_of_page(model, page))
    watch(Watched(NotificationRecipient, tenants=lambda row: [row.settings.tenant_id]))
    watch(
        Watched(
            AdminToken,
            tenants=lambda token: businesses_of(token.user_id),
            hidden=frozenset({"hash", "revoked_at"}),
            ignored=frozenset({"last_used_at", "created_at", "expires_at", "user"}),
            names=_of_key,
            text=lambda token: f"admin {token}",
        )
    )
    watch(
        Watched(
            Authenticator,
            tenants=lambda factor: businesses_of(factor.user_id),
            hidden=frozenset({"data"}),
            ignored=frozenset({"last_used_at", "created_at", "user"}),
            names=_of_factor,
            text=lambda factor: str(factor.get_type_display()),
        )
    )


def _of_page(model: type[Model], page: TenantScopedAdmin) -> Watched:
    def tenants(row: Any) -> list[int | None]:
        return [None] if isinstance(page, SuperuserAdmin) else [tenant_id_of(row, page.tenant_path)]

    special: dict[type[Model], dict[str, Any]] = {
        User: {
            "tenants": lambda user: businesses_of(user.pk),
            "hidden": {"password"},
            "ignored": {"last_login", "date_joined"},
            "names": _of_user,
        },
        Tenant: {"hidden": {"deletion_requested_at"}, "names": _of_business},
        Membership: {"names": _of_member, "text": lambda member: str(member.user)},
        # They begin with what a customer writes.
        **{kind: {"names": _unless_new} for kind in (Conversation, Lead, UnansweredQuestion)},
        ApiKey: {"hidden": {"hash", "revoked_at"}, "names": _of_key},
        # Inviting, renewing, accepting and declining have names of their own: see tenants/invitations.
        Invitation: {
            "names": lambda action, row, changed: Action.INVITATION_WITHDRAWN if action is Action.DELETED else None,
            "text": offer,
        },
        Erasure: {
            "names": lambda action, row, changed: Action.PERSON_ERASED if action is Action.CREATED else None,
            "text": lambda erasure: "conversation " + ", ".join(map(str, erasure.conversations or ["-"])),
        },
        Export: {
            "names": lambda action, row, changed: Action.EXPORTED if action is Action.CREATED else action,
            "text": lambda export: export.contents.lower(),
        },
    }
    how = {"tenants": tenants, **special.get(model, {})}
    how["hidden"] = frozenset({*how.get("hidden", ()), *secret_names(model)})
    how["ignored"] = frozenset({*how.get("ignored", ()), "tenant"})  # each entry names its business
    return Watched(model, is_personal=model in PERSONAL, **how)


def _of_user(action: Action, user: User, changed: set[str]) -> Action:
    return Action.PASSWORD_CHANGED if action is Action.CHANGED and changed == {"password"} else action


def _unless_new(action: Action, row: Model, changed: set[str]) -> Action | None:
    return None if action is Action.CREATED else action


def _of_business(action: Action, tenant: Tenant, changed: set[str]) -> Action:
    if "deletion_requested_at" in changed:
        return Action.BUSINESS_DELETED
    if action is Action.CHANGED and "is_active" in changed:
        return Action.BUSINESS_RESUMED if tenant.is_active else Action.BUSINESS_SUSPENDED
    return action


def _of_member(action: Action, member: Membership, changed: set[str]) -> Action:
    return {Action.CREATED: Action.MEMBER_ADDED, Action.DELETED: Action.MEMBER_REMOVED}.get(action, Action.ROLE_CHANGED)


def _of_key(action: Action, key: Model, changed: set[str]) -> Action:
    if action is Action.CHANGED and "revoked_at" in changed:
        return Action.KEY_REVOKED
    return Action.KEY_CREATED if action is Action.CREATED else action


def _of_factor(action: Action, factor: Authenticator, changed: set[str]) -> Action | None:
    """Recovery codes come with the first factor and go with the last one, and using one changes the row."""
    if factor.type == CODES:
        return None
    return {Action.CREATED: Action.FACTOR_ADDED, Action.DELETED: Action.FACTOR_REMOVED}.get(action)
