"""What the API remembers: how often a key was used, and what it answered to whom."""

from django.db import models
from django.db.models.functions import Now

from tenants.models import ApiKey, Tenant


class RateWindow(models.Model):
    """The requests of one key in its current minute: one row a key, for all processes."""

    key = models.OneToOneField(ApiKey, primary_key=True, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    class Meta:
        db_table = "api_rate_windows"

    def __str__(self) -> str:
        return f"{self.requests} requests of key {self.key_id}"


class IdempotentResponse(models.Model):
    """The answer that was given to an `Idempotency-Key`, written in the transaction of what it did."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)  # of address and body: the same key must not mean two things
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "api_remembered_answers"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="answer_once"),
        ]
        indexes = [
            # The clearing away of what is older than a day.
            models.Index(fields=["created_at"], name="answer_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.key}"
