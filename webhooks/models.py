"""Outgoing webhooks: what happened, and the delivery of it to a business's own systems.

The life of a delivery (`WebhookDelivery.status`)::

    waiting --2xx--> delivered
      ^  |  \\--no attempts left, or its endpoint is disabled--> failed
      |  \\--anything else: retried later (webhooks.delivery.WAITS)
      \\--- "Send again", from either end state
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from runtime.public_addresses import flaw
from tenants.fields import EncryptedTextField
from tenants.models import Tenant


class EventType(models.TextChoices):
    LEAD_CREATED = "lead.created", "Lead created"
    MESSAGE_RECEIVED = "message.received", "Message received"
    REPLY_SENT = "reply.sent", "Reply sent"
    NEEDS_PERSON = "needs_person", "Conversation needs attention"
    TEST = "test", "Test event"


# Test events are only sent by hand.
SUBSCRIBABLE = [choice for choice in EventType.choices if choice[0] != EventType.TEST]


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookEndpoint(models.Model):
    """A URL of a business that receives its events."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="webhook_endpoints", verbose_name="business"
    )
    url = models.URLField("URL", max_length=500, help_text="Must use HTTPS and be reachable from the internet.")
    event_types = ArrayField(models.CharField(max_length=32, choices=SUBSCRIBABLE))
    secret = EncryptedTextField(editable=False)
    is_active = models.BooleanField("active", default=True, help_text="When off, waiting deliveries are cancelled.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_reason = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        if self.url and (problem := flaw(self.url)):
            raise ValidationError({"url": problem})


class WebhookEvent(models.Model):
    """An event. Only events with a subscriber are recorded."""

    id = models.UUIDField(primary_key=True, db_default=RandomUUID(), editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=32, choices=EventType.choices)
    subject = models.BigIntegerField(
        null=True, help_text="The ID of the row it's about, if it can happen to that row only once."
    )
    payload = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "webhook_events"
        constraints = [
            models.UniqueConstraint(
                fields=["type", "subject"], condition=Q(subject__isnull=False), name="event_once_by_subject"
            )
        ]
        indexes = [
            # Deleting old events.
            models.Index(fields=["created_at"], name="event_by_age"),
            # Deleting a tenant.
            models.Index(fields=["tenant"], name="event_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint."""

    Status = DeliveryStatus

    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(
        max_length=16,
        choices=DeliveryStatus.choices,
        default=DeliveryStatus.WAITING,
        db_default=DeliveryStatus.WAITING.value,
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.TextField(blank=True, default="", db_default="")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once"),
            models.CheckConstraint(condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"),
        ]
        indexes = [
            # The claim: what is due for each endpoint.
            models.Index(fields=["endpoint", "next_attempt_at"], name="delivery_due", condition=Q(status="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"
