"""API keys and admin tokens, the requests made in the current minute, and responses to idempotent requests."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from audit.acting import Actor
from audit.choices import ActorKind
from tenants.models import Membership, Tenant
from tenants.users import full_name

MAX_KEYS = 20  # per business, because each has a rate limit of its own


class KeyScope(models.TextChoices):
    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> "ApiKeyQuerySet":
        """Keys that work: not revoked, and created by someone who is still a member of the business. While it's
        suspended, they're refused all the same."""
        membership = Membership.objects.filter(user=OuterRef("created_by"), tenant=OuterRef("tenant"))
        return self.filter(
            Exists(membership) | Q(created_by__is_superuser=True),
            revoked_at=None,
            created_by__is_active=True,
            tenant__deletion_requested_at=None,
        )


class ApiKey(models.Model):
    """Gives a program access to one business. Only a hash is stored: the key itself is shown once.

    A key can do no more than the person who created it can do now.
    """

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

    objects = ApiKeyQuerySet.as_manager()
    token = ""  # only right after it was generated

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

    def actor(self, address: str | None) -> Actor:
        return Actor(ActorKind.API_KEY, f"API key “{self.name}” ({self.prefix}_…)", self.pk, address)

    def clean(self) -> None:
        in_use = ApiKey.objects.filter(tenant_id=self.tenant_id, revoked_at=None).exclude(pk=self.pk)
        if in_use.count() >= MAX_KEYS:
            raise ValidationError(f"This business has {MAX_KEYS} API keys. Revoke one that's no longer needed first.")


class AdminTokenQuerySet(models.QuerySet["AdminToken"]):
    def valid(self) -> "AdminTokenQuerySet":
        """Tokens that work. What they allow is up to their user's roles, which are read with each request."""
        return self.filter(user__is_active=True, revoked_at=None, expires_at__gt=Now())


class AdminToken(models.Model):
    """Gives a program the rights of a staff user in the admin API. Only a hash is stored: the token is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="admin_tokens")
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = AdminTokenQuerySet.as_manager()

    class Meta:
        db_table = "admin_tokens"
        constraints = [
            # Also finds the token of a request.
            models.UniqueConstraint(fields=["hash"], name="admin_token_once_by_hash"),
        ]

    def __str__(self) -> str:
        return f"token of {self.user}"

    def actor(self, address: str | None) -> Actor:
        return Actor(ActorKind.ADMIN_TOKEN, f"{full_name(self.user)}, with an admin token", self.pk, address)


class RateWindow(models.Model):
    """How many requests a key has made in its current minute, across all processes."""

    key = models.OneToOneField(ApiKey, primary_key=True, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    class Meta:
        db_table = "api_rate_windows"

    def __str__(self) -> str:
        return f"{self.requests} requests with key {self.key_id}"


class ClientWindow(models.Model):
    """The same for an admin token ("token:1"), and for failed attempts from an IP address ("address:192.0.2.1")."""

    name = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    class Meta:
        db_table = "api_client_windows"
        constraints = [models.UniqueConstraint(fields=["name"], name="client_window_once")]
        indexes = [
            # For deleting old rows.
            models.Index(fields=["started_at"], name="client_window_by_age")
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests: {self.name}"


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
