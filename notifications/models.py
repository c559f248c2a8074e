"""Who is notified of what, and what was sent.

An incident is one thing that someone should look at. While it's open, another one of its kind about the same subject
only raises its count. Its life::

    opened --due--> the first in line are told --nobody reacts--> the next in line --…--> nobody is left
       \\-----------------------\\-- someone reacts, or it's over ------------/----> closed: what waits is cancelled
"""

import datetime as dt

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.fields import EncryptedTextField
from tenants.hours import is_time_zone
from tenants.models import Membership, Tenant

from .choices import Channel, Kind, State

LONGEST_TITLE, LONGEST_TEXT, LONGEST_PATH = 200, 500, 300


class NotificationIncident(models.Model):
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="notification_incidents", verbose_name="business"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    subject = models.CharField(max_length=320, help_text="What it's about, such as conversation:12.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="If only they are told.",
    )
    title = models.CharField(max_length=LONGEST_TITLE)
    text = models.CharField(max_length=LONGEST_TEXT, blank=True, default="", db_default="")
    path = models.CharField(
        max_length=LONGEST_PATH, blank=True, default="", db_default="", help_text="Of the page to open."
    )
    count = models.PositiveIntegerField(default=1, db_default=1, help_text="How often it happened while open.")
    opened_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True, help_text="When someone is told next. Empty: everyone has been.")
    position = models.PositiveSmallIntegerField(null=True, help_text="Told so far: everyone up to here in the line.")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notification_incidents"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "kind", "tenant"], condition=Q(closed_at__isnull=True), name="incident_open_once"
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="incident_kind_known"),
        ]
        indexes = [
            # Telling: open incidents whose time has come.
            models.Index(
                fields=["due_at"], name="incident_due", condition=Q(closed_at__isnull=True, due_at__isnull=False)
            ),
            # Deleting old ones.
            models.Index(fields=["closed_at"], name="incident_by_age", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title


class NotificationDelivery(models.Model):
    """One person told of one incident through one channel. Also the log of what was sent."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="notification_deliveries", verbose_name="business"
    )
    incident = models.ForeignKey(
        NotificationIncident,
        null=True,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_index=False,
        help_text="Empty: a test, or a daily email about several.",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, verbose_name="member"
    )
    channel = models.CharField(max_length=16, choices=Channel.choices)
    target = models.CharField(max_length=20, blank=True, default="", db_default="", help_text="Push: the device's ID.")
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.WAITING, db_default=State.WAITING.value
    )
    is_open = models.BooleanField(default=True, db_default=True, help_text="The incident is open.")
    digest = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="collected")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "notification_deliveries"
        verbose_name = "notification"
        constraints = [
            models.UniqueConstraint(fields=["incident", "user", "channel", "target"], name="notified_once"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="notification_channel_known"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="notification_state_known"),
        ]
        indexes = [
            # The claim: what is due for each business.
            models.Index(
                fields=["tenant", "next_attempt_at"],
                name="notification_due",
                condition=Q(state="waiting", channel__in=["push", "email"]),
            ),
            # Each poll of an open inbox: what this person should look at.
            models.Index(fields=["user"], name="notification_shown", condition=Q(channel="page", is_open=True)),
            # Collecting daily emails.
            models.Index(
                fields=["user", "tenant"],
                name="notification_collected",
                condition=Q(channel="digest", state="waiting", digest__isnull=True),
            ),
            # A person's own log, newest first; deleting a user; deleting old tests.
            models.Index(fields=["user", "id"], name="notification_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} to {self.user}"


def _all_kinds() -> list[str]:
    return list(Kind.values)


def _pushed() -> list[str]:
    return [Kind.HANDOVER.value, Kind.MESSAGE.value, Kind.UNANSWERED.value, Kind.ACCOUNT.value]


def _emailed() -> list[str]:
    return [Kind.HANDOVER.value, Kind.UNANSWERED.value, Kind.ACCOUNT.value]


def _collected() -> list[str]:
    return [Kind.FAILED.value, Kind.BUDGET.value]


class NotificationSettings(models.Model):
    """A business's settings. Without a row, the defaults apply."""

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="notification_settings", verbose_name="business"
    )
    unanswered_minutes = models.PositiveSmallIntegerField(
        "unanswered after (minutes)",
        default=15,
        db_default=15,
        validators=[MinValueValidator(1)],
        help_text="When a customer has waited this long for your team. The assistant's own conversations don't count.",
    )
    escalate_minutes = models.PositiveSmallIntegerField(
        "next in line after (minutes)",
        default=10,
        db_default=10,
        validators=[MinValueValidator(1)],
        help_text="If no one reacts within this time, the next in line are notified.",
    )
    budget_percent = models.PositiveSmallIntegerField(
        "token limit nearly used up at (%)",
        default=80,
        db_default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )

    class Meta:
        db_table = "notification_settings"
        verbose_name = verbose_name_plural = "notification settings"

    def __str__(self) -> str:
        return f"Notifications of {self.tenant}"


class NotificationRecipient(models.Model):
    """A member's place in the line. Without any, a business's operators are notified first, then its owners."""

    settings = models.ForeignKey(
        NotificationSettings, on_delete=models.CASCADE, related_name="recipients", db_index=False
    )
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="+", verbose_name="member")
    position = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="1 is notified first. Several can have the same."
    )
    kinds = ArrayField(models.CharField(max_length=16, choices=Kind.choices), default=_all_kinds)

    class Meta:
        db_table = "notification_recipients"
        verbose_name = "recipient"
        ordering = ["position", "pk"]
        constraints = [models.UniqueConstraint(fields=["settings", "membership"], name="recipient_once")]

    def __str__(self) -> str:
        return f"{self.membership}, {self.position}"

    def clean(self) -> None:
        if self.membership_id and self.settings.tenant_id and self.membership.tenant_id != self.settings.tenant_id:
            raise ValidationError({"membership": "This isn't a member of the business."})


class NotificationPreferences(models.Model):
    """How one person wants to be notified. Without a row, the defaults apply."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    page_kinds = ArrayField(models.CharField(max_length=16, choices=Kind.choices), default=_all_kinds, blank=True)
    push_kinds = ArrayField(models.CharField(max_length=16, choices=Kind.choices), default=_pushed, blank=True)
    email_kinds = ArrayField(models.CharField(max_length=16, choices=Kind.choices), default=_emailed, blank=True)
    digest_kinds = ArrayField(models.CharField(max_length=16, choices=Kind.choices), default=_collected, blank=True)
    sound = models.BooleanField("play a sound", default=True, db_default=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest_at = models.TimeField("daily email at", default=dt.time(8))
    time_zone = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[is_time_zone],
        help_text="For example Europe/Madrid. If empty, the business's.",
    )

    class Meta:
        db_table = "notification_preferences"

    def __str__(self) -> str:
        return f"Notification preferences of user {self.pk}"


class PushSubscription(models.Model):
    """A browser that accepts push messages. Deleted when its push service says that it's gone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=1000)
    public_key = models.CharField(max_length=100)
    auth_secret = models.CharField(max_length=50)
    device = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "push_subscriptions"
        constraints = [models.UniqueConstraint(fields=["endpoint"], name="push_subscription_once")]

    def __str__(self) -> str:
        return self.device


class VapidKey(models.Model):
    """The installation's key for push services, made when it's first needed."""

    private_key = EncryptedTextField()

    class Meta:
        db_table = "vapid_keys"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="vapid_key_once")]

    def __str__(self) -> str:
        return "VAPID key"
