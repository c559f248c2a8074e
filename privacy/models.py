"""What a business has decided about its customers' data: people to erase, exports, and how long data is kept."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.db.models.signals import post_delete
from django.dispatch import receiver

from conversations.files import removal
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


class Export(models.Model):
    """A copy of everything that a business has, or of what it has about one person. Deleted when it expires.

    A job writes one part after another. Each is a zip file, and is recorded together with where the next one begins.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name="business")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    # Of one person: how they're identified, and their conversations. Null: everything.
    identifiers = ArrayField(models.CharField(max_length=255), null=True, editable=False)
    conversations = ArrayField(models.BigIntegerField(), null=True, editable=False)

    position = models.JSONField(default=dict, db_default={}, editable=False)  # an `exporting.writing.Position`
    parts_written = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    done = models.PositiveBigIntegerField(default=0, db_default=0, editable=False, help_text="Rows and files.")
    total = models.PositiveBigIntegerField(null=True, editable=False, help_text="When it began. Null: not begun.")
    error = models.TextField(blank=True, default="", db_default="", editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(editable=False)

    class Meta:
        db_table = "exports"
        indexes = [
            # The worker: what has expired.
            models.Index(fields=["expires_at"], name="export_expired"),
            # The worker: what's under way.
            models.Index(fields=["requested_at"], name="export_under_way", condition=Q(finished_at=None)),
        ]

    def __str__(self) -> str:
        return f"Export {self.pk}"

    @property
    def contents(self) -> str:
        return "Everything" if self.conversations is None else "One person"

    @property
    def percent(self) -> int:
        if self.finished_at:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0


class ExportPart(models.Model):
    """A zip file of an export."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField(help_text="From 1.")
    file = models.FileField(max_length=255)
    size = models.PositiveBigIntegerField()

    class Meta:
        db_table = "export_parts"
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_part_once")]

    def __str__(self) -> str:
        return f"Part {self.number}"


@receiver(post_delete, sender=ExportPart)
def remove_file(instance: ExportPart, **kwargs: object) -> None:
    """The file leaves the storage with its row."""
    removal.remove_on_commit([str(instance.file.name)])


AT_LEAST_A_DAY = [MinValueValidator(1)]


class RetentionPolicy(models.Model):
    """How many days a business keeps each kind of data. Empty: as long as the business exists."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name="business")
    messages_days = models.PositiveSmallIntegerField(
        "messages",
        null=True,
        blank=True,
        validators=AT_LEAST_A_DAY,
        help_text="Days. Also their files, the turns, and what repeats them: events, notifications, questions.",
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
