"""The business numbers, what their own apps deliver, and webhook events that couldn't be stored."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.fields import EncryptedTextField
from tenants.models import Tenant


class WhatsAppAccount(models.Model):
    """One WhatsApp number of one business."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="whatsapp_accounts", verbose_name="business", db_index=False
    )
    phone_number_id = models.CharField(
        "phone number ID", max_length=255, help_text="Meta's ID of the number, not the number itself."
    )
    display_phone_number = models.CharField(max_length=40, blank=True, default="")
    waba_id = models.CharField(
        "WABA ID", max_length=255, blank=True, default="", help_text="The ID of the WhatsApp Business Account."
    )
    access_token = EncryptedTextField(blank=True, default="", help_text="A permanent token of a system user.")
    app_secret = EncryptedTextField(
        blank=True,
        default="",
        help_text="Only needed if the number belongs to a different Meta app than WHATSAPP_APP_SECRET.",
    )
    is_active = models.BooleanField(
        "active",
        default=True,
        help_text="Only an active account receives and sends messages. “Test connection” activates it.",
    )
    last_delivery_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "whatsapp_accounts"
        verbose_name = "WhatsApp account"
        constraints = [
            # Also finds the account of a webhook or a message. Anyone may enter a number, so entering it neither claims
            # it nor blocks its owner.
            models.UniqueConstraint(
                fields=["phone_number_id"],
                condition=Q(is_active=True),
                name="account_active_once_by_number",
                violation_error_message="Another account with this phone number ID is active.",
            ),
            models.UniqueConstraint(fields=["tenant", "phone_number_id"], name="account_once_in_tenant"),
        ]

    def __str__(self) -> str:
        return self.display_phone_number or self.phone_number_id

    @property
    def token(self) -> str:
        # Falls back to the sandbox's token, but never to the real token of the single business.
        return self.access_token or (settings.WHATSAPP_ACCESS_TOKEN if settings.SANDBOX else "")


class DeliveryWindow(models.Model):
    """How much the own app of one account has delivered in the current minute. See `whatsapp.webhook.quota`."""

    account = models.OneToOneField(WhatsAppAccount, on_delete=models.CASCADE, primary_key=True, related_name="+")
    started_at = models.DateTimeField()
    units = models.PositiveIntegerField()

    class Meta:
        db_table = "whatsapp_delivery_windows"

    def __str__(self) -> str:
        return f"{self.account_id} since {self.started_at}: {self.units}"


class QuarantinedEvent(models.Model):
    """An authentic webhook event that couldn't be stored. Kept as received, so that it can be retried."""

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="quarantined_events",
        verbose_name="business",
    )
    reason = models.CharField(max_length=255)
    field = models.CharField(max_length=100, blank=True, default="")
    phone_number_id = models.CharField(max_length=255, blank=True, default="")
    raw = models.JSONField(help_text="A webhook body with this event only.")
    error = models.CharField(max_length=255, blank=True, default="", help_text="Why the last retry failed.")
    signed_by = ArrayField(
        models.BigIntegerField(),
        default=list,
        db_default=[],
        null=True,
        blank=True,
        help_text="The accounts whose own app signed it. Empty: the app of this installation. Null: nobody (DEBUG).",
    )
    # Meta repeats deliveries; the same event is kept once.
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    retried_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "quarantined_events"
        constraints = [models.UniqueConstraint(fields=["digest"], name="quarantined_once")]
        indexes = [
            # The admin's list: unresolved events first, newest first.
            models.Index(fields=["resolved_at", "-created_at"], name="quarantine_newest")
        ]

    def __str__(self) -> str:
        return f"{self.reason} ({self.field})"
