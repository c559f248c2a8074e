"""What the API stores: the requests each key made in the current minute, and responses to idempotent requests."""

from django.db import models
from django.db.models.functions import Now

from tenants.models import ApiKey, Tenant


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

    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)  # of method, path and payload
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "api_idempotent_responses"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="idempotency_key_once", nulls_distinct=False),
        ]
        indexes = [
            # For deleting expired responses.
            models.Index(fields=["created_at"], name="idempotent_response_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.key}"
