"""What happened, and who of a business's own systems is told.

The life of a delivery (`WebhookDelivery.status`)::

    waiting --2xx--> delivered
      ^  |  \\--the tries are used up, or its endpoint is switched off--> failed
      |  \\--anything else: later again (webhooks.delivery.WAITS)
      \\--- send again, from both ends
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runtime import public_addresses
from tenants.fields import EncryptedTextField
from tenants.models import Tenant


class EventType(models.TextChoices):
    LEAD_CREATED = "lead.created", "A lead was created"
    MESSAGE_RECEIVED = "message.received", "A customer wrote"
    REPLY_SENT = "reply.sent", "A reply was sent"
    NEEDS_PERSON = "needs_person", "A conversation needs a person"


class WebhookEndpoint(models.Model):
    """An address of a business that is told what happens."""

    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        related_name="webhook_endpoints",
        verbose_name="business",
    )
    url = models.URLField("URL", max_length=500, help_text="https, and reachable from the internet.")
    event_types = ArrayField(models.CharField(max_length=32, choices=EventType.choices))
    secret = EncryptedTextField(editable=False)
    is_active = models.BooleanField(
        "active", default=True, help_text="Off: nothing is sent, and what waits is given up."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_reason = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        if problem := public_addresses.flaw(self.url):
            raise ValidationError({"url": problem})


class WebhookEvent(models.Model):
    """Something that happened, as it is told. Only what somebody wanted to hear is here."""

    id = models.UUIDField(primary_key=True, db_default=RandomUUID(), editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=32, choices=EventType.choices)
    subject = models.BigIntegerField(null=True, help_text="The id of the row that it is about, where it happens once.")
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "webhook_events"
        constraints = [
            models.UniqueConstraint(
                fields=["type", "subject"], condition=Q(subject__isnull=False), name="event_once_by_subject"
            ),
        ]
        indexes = [
            # The clearing away of what is old; and a deleted tenant's.
            models.Index(fields=["created_at"], name="event_by_age"),
            models.Index(fields=["tenant"], name="event_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.WAITING, db_default=Status.WAITING.value
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    woken_at = models.DateTimeField(null=True, blank=True, help_text="When the sweep last deferred a job for it.")
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True, default="", db_default="")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once")]
        indexes = [
            # The sweep: what is due.
            models.Index(fields=["next_attempt_at"], name="delivery_due", condition=Q(status="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"
