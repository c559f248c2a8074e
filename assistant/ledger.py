"""Turns, the record of every reply, and what each day used.

The life of a turn (`Turn.state`)::

    collecting --due--> generating --answer--> closing --> replied
        ^  ^                |  |                  |----> collecting again: a newer message came (at most twice)
        |  \\--lease expired-/  \\--> failed         |----> suppressed: taken over, window closed, out of budget
        \\--- opened by the first message; each further one only moves due_at
"""

import functools

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant

MessageLink = functools.partial(
    models.ForeignKey, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
)


class Turn(models.Model):
    """One burst of a customer's messages and its one reply: lease and fence while it runs, then the record."""

    class State(models.TextChoices):
        COLLECTING = "collecting", "Collecting"
        GENERATING = "generating", "Generating"
        REPLIED = "replied", "Replied"
        SUPPRESSED = "suppressed", "Suppressed"
        FAILED = "failed", "Failed"

    OPEN = [State.COLLECTING, State.GENERATING]
    # The conversation's business: turns are claimed per business, through an index.
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns", db_index=False)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.COLLECTING, db_default=State.COLLECTING.value
    )
    # Links without a constraint or an index: a message is only deleted with its conversation, which deletes the turn
    # too.
    first_message = MessageLink(ConversationMessage)
    last_message = MessageLink(ConversationMessage)
    opened_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    latest_due_at = models.DateTimeField(help_text="first message + max_wait: due_at never passes it.")
    lease_until = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=0, db_default=0, help_text="Fence: increases with every claim.")
    lost_leases = models.PositiveSmallIntegerField(default=0, db_default=0)
    superseded = models.PositiveSmallIntegerField(default=0, db_default=0)

    seen_messages = models.JSONField(default=list, db_default=[], help_text="The ids shown to the model.")
    prompt = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Its parts and their tokens: see `assistant.prompt.parts`."
    )
    model = models.CharField(max_length=100, blank=True, default="", db_default="")
    instructions_hash = models.CharField(max_length=16, blank=True, default="", db_default="")
    prompt_tokens = models.PositiveIntegerField(default=0, db_default=0)
    cached_tokens = models.PositiveIntegerField(default=0, db_default=0)
    completion_tokens = models.PositiveIntegerField(default=0, db_default=0)
    usage_estimated = models.BooleanField(default=False, db_default=False)
    cost = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="In US dollars, if the price is known.",
    )
    seconds = models.FloatField(null=True, blank=True, help_text="All attempts of the model together.")
    outcome = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="Why it ended this way.")
    error = models.TextField(blank=True, default="", db_default="")
    waits_for = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="The paused model endpoint that it failed on. It's answered when that is resumed.",
    )
    warning = models.TextField(
        blank=True, default="", db_default="", help_text="What the team should check in the reply."
    )
    sources = models.JSONField(
        default=list, db_default=[], help_text="What the reply cites: each source's ID, name, link and text."
    )
    first_reply = MessageLink(ConversationMessage, null=True, blank=True)
    last_reply = MessageLink(ConversationMessage, null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "turns"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state__in=["collecting", "generating"]), name="turn_open_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["collecting", "generating", "replied", "suppressed", "failed"]),
                name="turn_state_known",
            ),
        ]
        indexes = [
            # The claim: each business's due turns, oldest first; turns whose lease has expired.
            models.Index(fields=["tenant", "due_at"], name="turn_due", condition=Q(state="collecting")),
            models.Index(fields=["lease_until"], name="turn_leased", condition=Q(state="generating")),
            # The first page of the admin: the turns of the last days. Rows are stored in order of time.
            BrinIndex(fields=["opened_at"], name="turn_by_time"),
            # Answering what waits for a paused model endpoint, when that is resumed.
            models.Index(fields=["tenant", "waits_for"], name="turn_waiting", condition=~Q(waits_for="")),
            # The ledger of a conversation, newest first; the transcript's "tokens of this reply".
            models.Index(F("conversation"), F("opened_at").desc(), name="turn_history"),
        ]

    def __str__(self) -> str:
        return f"Turn {self.pk} of conversation {self.conversation_id} ({self.state})"


class DailyUsage(models.Model):
    """Tokens that one business used on one day (UTC). The daily limit reads it, so it never sums the ledger."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    tokens = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "daily_usage"
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="usage_once_a_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} on {self.day}: {self.tokens} tokens"
