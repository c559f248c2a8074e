"""Who owns what: the businesses of this installation and the people who work for them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Tenant(models.Model):
    """One business. Its rows are never seen by another."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Off: its messages are stored, nothing is answered."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "tenants"
        verbose_name = "business"
        verbose_name_plural = "businesses"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What one person may do in one business."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner: everything of this business"
        OPERATOR = "operator", "Operator: answers customers"
        VIEWER = "viewer", "Viewer: reads"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships", verbose_name="business")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.OPERATOR)

    class Meta:
        db_table = "memberships"
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class ApiKey(models.Model):
    """What a program of one business shows to the API. Only its hash is stored: the key itself is shown once."""

    class Scope(models.TextChoices):
        READ = "read", "Read"
        WRITE = "write", "Read and write"

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="api_keys",
        verbose_name="business",
        help_text="Empty: the one business of an installation without tenants.",
    )
    name = models.CharField(max_length=200, help_text="Which program uses it.")
    prefix = models.CharField(max_length=32, unique=True, editable=False)  # the index finds the key of a request
    hash = models.CharField(max_length=64, editable=False)
    scope = models.CharField(max_length=16, choices=Scope.choices, default=Scope.READ)
    # What a program writes, this person wrote: they may be switched off, but not deleted.
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.name
