"""What a business has decided about its customers' data: people to erase, and how long data is kept."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models import Tenant


class Erasure(models.Model):
    """A person whose data is being erased. Afterwards it's the receipt, which doesn't say who it was."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name="business")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    # The phone number and the WhatsApp user IDs. Emptied when it's finished.
    identifiers = ArrayField(models.CharField(max_length=255), default=list, editable=False)
    conversations = ArrayField(models.BigIntegerField(), default=list, editable=False)
    leads = ArrayField(models.BigIntegerField(), default=list, editable=False)
    erased = models.JSONField(default=dict, db_default={}, editable=False, help_text="Rows and files, by kind.")

    class Meta:
        db_table = "erasures"
        indexes = [
            # The worker: what's under way.
            models.Index(fields=["requested_at"], name="erasure_under_way", condition=Q(finished_at=None))
        ]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"


AT_LEAST_A_DAY = [MinValueValidator(1)]


class RetentionPolicy(models.Model):
    """How many days a business keeps each kind of data. Empty: as long as the business exists."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name="business")
    messages_days = models.PositiveSmallIntegerField(
        "messages",
        null=True,
        blank=True,
        validators=AT_LEAST_A_DAY,
        help_text="Days. Also their files and the assistant's turns.",
    )
    files_days = models.PositiveSmallIntegerField(
        "files",
        null=True,
        blank=True,
        validators=AT_LEAST_A_DAY,
        help_text="Days. The messages that they came with stay.",
    )
    quarantine_days = models.PositiveSmallIntegerField(
        "quarantined events", null=True, blank=True, validators=AT_LEAST_A_DAY, help_text="Days."
    )
    # Where the deletion of messages is in its walk through the conversations, and when the next walk begins.
    position = models.BigIntegerField(default=0, db_default=0, editable=False)
    next_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "retention_policies"
        verbose_name_plural = "retention policies"
        indexes = [
            # The worker: whose turn it is.
            models.Index(fields=["next_at"], name="retention_due")
        ]

    def __str__(self) -> str:
        return f"Retention of {self.tenant}"
