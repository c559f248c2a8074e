"""The businesses of this installation and the people who work for them."""

import secrets

from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from .hours import OpeningHours

__all__ = ["Invitation", "Membership", "OpeningHours", "SignInRules", "Tenant"]

LONGEST_NOTE = 500
SINGLE_NAME, SINGLE_SLUG = "My business", "my-business"


class TenantManager(models.Manager["Tenant"]):
    def single(self) -> "Tenant":
        """The business that `tenant_id=None` stands for, and the only one unless MULTITENANT_ENABLED is set.

        Safe under concurrency. The row is read each time, so that no process works with one that was deleted.
        """
        found = self.filter(is_single=True).first()
        return found or self.get_or_create(is_single=True, defaults={"name": SINGLE_NAME, "slug": self._free_slug()})[0]

    def _free_slug(self) -> str:
        taken = self.filter(slug=SINGLE_SLUG).exists()
        return f"{SINGLE_SLUG}-{secrets.token_hex(4)}" if taken else SINGLE_SLUG


class Tenant(models.Model):
    """One business. Its rows are never visible to another."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, db_index=False)
    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="When it's suspended, messages are stored but not answered, and only superusers have access.",
    )
    suspended_at = models.DateTimeField(null=True, editable=False)
    suspended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    suspension_note = models.CharField(max_length=LONGEST_NOTE, blank=True, default="", db_default="", editable=False)
    is_single = models.BooleanField(default=False, db_default=False, editable=False)
    deletion_requested_at = models.DateTimeField(null=True, editable=False)
    checklist_dismissed_at = models.DateTimeField(null=True, editable=False)  # by an owner, on the overview
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TenantManager()

    class Meta:
        db_table = "tenants"
        verbose_name = "business"
        verbose_name_plural = "businesses"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="tenant_once_by_slug"),
            models.UniqueConstraint(fields=["is_single"], condition=Q(is_single=True), name="tenant_single_once"),
        ]

    def __str__(self) -> str:
        return self.name


@receiver(post_migrate)
def create_single_tenant(sender: AppConfig, apps: Apps = current_apps, **kwargs: object) -> None:
    is_migrated = sender.label == "tenants" and "tenant" in apps.all_models["tenants"]
    if is_migrated and not settings.MULTITENANT_ENABLED:
        Tenant.objects.single()


class MemberRole(models.TextChoices):
    OWNER = "owner", "Owner: can manage the business"
    OPERATOR = "operator", "Operator: can reply to customers"
    VIEWER = "viewer", "Viewer: can only read"


class Membership(models.Model):
    """What one user may do in one business."""

    Role = MemberRole

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships", verbose_name="business")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.OPERATOR)

    class Meta:
        db_table = "memberships"
        verbose_name = "member"
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class SignInRules(models.Model):
    """How a business's members have to sign in. Without a row, the password is enough."""

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="sign_in_rules", verbose_name="business"
    )
    two_factor_roles = ArrayField(
        models.CharField(max_length=16, choices=MemberRole.choices),
        verbose_name="two-factor authentication required for",
        default=list,
        db_default=[],
        blank=True,
        help_text="They can do nothing until they've set it up. API keys and admin tokens aren't affected.",
    )

    class Meta:
        db_table = "sign_in_rules"
        verbose_name = verbose_name_plural = "sign-in rules"
        constraints = [
            models.CheckConstraint(
                condition=Q(two_factor_roles__contained_by=MemberRole.values), name="sign_in_rules_roles_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Sign-in rules of {self.tenant}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def valid(self) -> "InvitationQuerySet":
        """Invitations that can be accepted: of an active business, and from someone who could still invite today."""
        owns = Membership.objects.filter(user=OuterRef("invited_by"), tenant=OuterRef("tenant"), role=MemberRole.OWNER)
        return self.filter(
            Exists(owns) | Q(invited_by__is_superuser=True),
            invited_by__is_active=True,
            tenant__is_active=True,
            expires_at__gt=Now(),
        )

    def addressed_to(self, user: User | AnonymousUser) -> "InvitationQuerySet":
        """The valid invitations of a user's confirmed email address."""
        address = normalized(user.email) if isinstance(user, User) else ""
        return self.valid().filter(email=address) if address else self.none()


class Invitation(models.Model):
    """An offer of a membership to one email address. Accepting, declining or withdrawing it deletes it and its link.

    `User.email` is a confirmed address: only a superuser, a link that was sent to it, or the OpenID Connect provider
    sets it. So a link that the inviter passes on can't create an account that other businesses would take for the
    address's owner.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations", verbose_name="business")
    email = models.EmailField("email address")
    role = models.CharField(max_length=16, choices=MemberRole.choices)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64, null=True)  # null: there's no link
    by_email = models.BooleanField("sent by email", default=False)
    emailed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    objects = InvitationQuerySet.as_manager()
    link = ""  # to pass on; only right after it was created

    class Meta:
        db_table = "invitations"
        constraints = [
            models.UniqueConstraint(fields=["email", "tenant"], name="invitation_once"),
            # Also finds the invitation of a link.
            models.UniqueConstraint(fields=["token_hash"], name="invitation_once_by_link"),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.tenant}"


def normalized(email: str) -> str:
    """An email address as invitations store and compare it."""
    return email.strip().lower()
