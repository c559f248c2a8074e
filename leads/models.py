"""What was learned about the person behind a conversation."""

from django.db import models
from django.db.models import F
from django.db.models.functions import Now

from conversations.models import Conversation
from tenants.models import Tenant


class Lead(models.Model):
    """One per conversation, created with the customer's first message."""

    class Stage(models.TextChoices):
        NEW = "new", "New"
        CONTACTED = "contacted", "Contacted"
        QUALIFIED = "qualified", "Qualified"
        WON = "won", "Won"
        LOST = "lost", "Lost"

    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="leads", verbose_name="business"
    )
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="lead")
    name = models.CharField(max_length=255, blank=True, default="", db_default="")
    phone = models.CharField(max_length=255, blank=True, default="", db_default="")
    source = models.CharField(max_length=64, default="whatsapp", db_default="whatsapp")
    first_text = models.TextField(blank=True, default="", db_default="")
    referral = models.JSONField(
        null=True, blank=True, help_text="The advertisement that brought the person, as Meta tells it."
    )
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.NEW, db_default=Stage.NEW.value)
    fields = models.JSONField(default=dict, db_default={}, blank=True)
    notes = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "leads"
        indexes = [
            # The list of leads: of one tenant by stage, newest first.
            models.Index(F("tenant"), F("stage"), F("created_at").desc(), name="lead_by_stage"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone or f"Lead {self.pk}"
