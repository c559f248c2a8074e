"""API keys, the requests each key made in the current minute, and responses to idempotent requests."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models import Tenant


class KeyScope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiKey(models.Model):
    """Gives a program access to one business. Only a hash is stored: the key itself is shown once."""

    Scope = KeyScope

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys", verbose_name="business")
    name = models.CharField(max_length=200, help_text="The program that uses this key.")
    prefix = models.CharField(max_length=32, editable=False)
    hash = models.CharField(max_length=64, editable=False)
    scope = models.CharField(max_length=16, choices=KeyScope.choices, default=KeyScope.READ)
    # Messages sent with this key show its creator as their author, so that user can be deactivated but not deleted.
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        constraints = [
            # Also finds the key of a request.
            models.UniqueConstraint(fields=["prefix"], name="api_key_once_by_prefix"),
            models.CheckConstraint(condition=Q(scope__in=KeyScope.values), name="api_key_scope_known"),
        ]

    def __str__(self) -> str:
        return self.name


class RateWindow(models.Model):
    """How many requests a key has made in its current minute, across all processes."""

    key = models.OneToOneField(ApiKey, primary_key=True, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    class Meta:
        db_table = "api_rate_windows"

    def __str__(self) -> str:
        return f"{self.requests} requests with key {self.key_id}"


class IdempotentResponse(models.Model):
    """The response to an `Idempotency-Key`, stored in the transaction of its effects."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)  # of method, path and payload
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "api_idempotent_responses"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_key_once")]
        indexes = [
            # For deleting expired responses.
            models.Index(fields=["created_at"], name="idempotent_response_by_age")
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.key}"
