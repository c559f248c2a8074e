"""Leads: what is known about the customer of a conversation."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Now

from conversations.models import Conversation
from conversations.search_functions import Words
from runtime.untrusted_json import one_line
from tenants.models import Tenant

SEARCHED = Concat("name", Value(" "), "notes", Value(" "), "first_text", output_field=models.TextField())


class LeadStage(models.TextChoices):
    NEW = "new", "New"
    CONTACTED = "contacted", "Contacted"
    QUALIFIED = "qualified", "Qualified"
    WON = "won", "Won"
    LOST = "lost", "Lost"


class Lead(models.Model):
    """One per conversation, created from the customer's first message."""

    Stage = LeadStage

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="leads",
        verbose_name="business",
        db_index=False,
    )
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="lead")
    name = models.CharField(max_length=255, blank=True, default="", db_default="")
    phone = models.CharField(max_length=255, blank=True, default="", db_default="")
    source = models.CharField(max_length=64, default="whatsapp", db_default="whatsapp")
    first_text = models.TextField("first message", blank=True, default="", db_default="")
    referral = models.JSONField(
        null=True, blank=True, help_text="The ad that brought the customer, as reported by Meta."
    )
    stage = models.CharField(
        max_length=16, choices=LeadStage.choices, default=LeadStage.NEW, db_default=LeadStage.NEW.value
    )
    fields = models.JSONField("custom fields", default=dict, db_default={}, blank=True)
    field_sources = models.JSONField(
        default=dict,
        db_default={},
        editable=False,
        help_text="By field: the ID of the message that the assistant took its value from. Null: a person entered it.",
    )
    notes = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "leads"
        constraints = [models.CheckConstraint(condition=Q(stage__in=LeadStage.values), name="lead_stage_known")]
        indexes = [
            # The list of leads: one tenant's, by stage, newest first.
            models.Index(F("tenant"), F("stage"), F("created_at").desc(), name="lead_by_stage"),
            GinIndex(Words(SEARCHED), name="lead_search"),
        ]

    def __str__(self) -> str:
        return one_line(self.name, 255) or self.phone or f"Lead {self.pk}"


class LeadFieldType(models.TextChoices):
    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    EMAIL = "email", "Email address"
    PHONE = "phone", "Phone number"
    YES_NO = "yes_no", "Yes or no"


class LeadField(models.Model):
    """Something that a business wants to know about its customers. The assistant notes it when they say it."""

    Type = LeadFieldType

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="lead_fields", verbose_name="business", db_index=False
    )
    name = models.CharField(
        max_length=40,
        validators=[RegexValidator("^[a-z][a-z0-9_]*$", "Use lowercase letters, digits and underscores.")],
        help_text="As the API and the assistant know it, for example delivery_date.",
    )
    type = models.CharField(
        max_length=8, choices=LeadFieldType.choices, default=LeadFieldType.TEXT, db_default=LeadFieldType.TEXT.value
    )
    description = models.CharField(
        max_length=255, blank=True, help_text="Tells the assistant what to note: “The day on which the cake is needed”."
    )

    class Meta:
        db_table = "lead_fields"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="lead_field_once_by_name"),
            models.CheckConstraint(condition=Q(type__in=LeadFieldType.values), name="lead_field_type_known"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()
