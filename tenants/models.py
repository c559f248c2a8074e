"""Who owns what: the businesses of this installation and the people who work for them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class Tenant(models.Model):
    """One business. Its rows are never seen by another."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    is_active = models.BooleanField(default=True, help_text="Off: its messages are stored, nothing is answered.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "tenants"
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
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.OPERATOR)

    class Meta:
        db_table = "memberships"
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"
