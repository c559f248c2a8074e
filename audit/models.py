"""Who did what, and when. The database refuses to change or delete these rows (see the first migration)."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .choices import Action, ActorKind

LONGEST_TEXT = 400


class AuditEntry(models.Model):
    """One action in the log of one business. What it was about may be gone, so names are kept as text.

    What someone does with their own account is in the log of each of their businesses.
    """

    append_only = True  # see runtime/row_security/roles.py
    Action = Action

    at = models.DateTimeField("time", db_default=Now())
    # Without constraints: an entry outlives its business. Null: the whole installation's.
    tenant = models.ForeignKey(
        "tenants.Tenant",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name="business",
    )
    business = models.CharField(max_length=200, db_default="")
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.BigIntegerField(null=True, help_text="The ID of the user, the API key or the admin token.")
    actor = models.CharField("who", max_length=LONGEST_TEXT)
    address = models.GenericIPAddressField("IP address", null=True)
    action = models.CharField(max_length=32, choices=Action.choices)
    object_type = models.CharField(max_length=100, db_default="")
    object_id = models.BigIntegerField(null=True)
    object = models.CharField(max_length=LONGEST_TEXT, db_default="", help_text="What it was about, in words.")
    # [{"field": …, "before": …, "after": …}]; of a secret or a customer's data, only the field.
    changes = models.JSONField(db_default=[])

    class Meta:
        db_table = "audit_entries"
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(condition=Q(actor_kind__in=ActorKind.values), name="audit_actor_kind_known"),
            models.CheckConstraint(condition=Q(action__in=Action.values), name="audit_action_known"),
        ]
        indexes = [
            # The page of one business, newest first.
            models.Index(fields=["tenant", "id"], name="audit_by_business"),
            # Deleting what is older than the installation keeps it.
            models.Index(fields=["at"], name="audit_by_age"),
            # Whether someone has read this conversation a moment ago.
            models.Index(
                fields=["object_id", "actor_kind", "actor_id", "at"],
                name="audit_reads",
                condition=Q(action=Action.READ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.get_action_display()} {self.object}".strip()
