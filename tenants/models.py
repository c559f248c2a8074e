"""The businesses of this installation and the people who work for them."""

import secrets

from django.apps import AppConfig
from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from .hours import OpeningHours

__all__ = ["Membership", "OpeningHours", "Tenant"]

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
    is_active = models.BooleanField("active", default=True, help_text="When off, messages are stored but not answered.")
    is_single = models.BooleanField(default=False, db_default=False, editable=False)
    deletion_requested_at = models.DateTimeField(null=True, editable=False)
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
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=MemberRole.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"
