"""A business's assistant, and its turns: the record of every reply.

The life of a turn (`Turn.state`)::

    collecting --due--> generating --answer--> closing --> replied
        ^  ^                |  |                  |----> collecting again: a newer message came (at most twice)
        |  \\--lease expired-/  \\--> failed         |----> suppressed: taken over, window closed, out of budget
        \\--- opened by the first message; each further one only moves due_at
"""

import functools
import hashlib
import json

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from conversations.models import Conversation, ConversationMessage
from tenants.fields import EncryptedTextField, decrypted
from tenants.models import Tenant

from . import limits
from .dialects import Dialect as Dialect

DEFAULT_INSTRUCTIONS = (
    "You answer this business's customers on WhatsApp. Be brief, friendly and specific. "
    "Reply in the customer's language. If you don't know the answer, say so and offer to connect them with a member of "
    "the team."
)
DEFAULT_FALLBACK = "Sorry, I can't answer right now. A member of our team will reply here shortly."

MessageLink = functools.partial(
    models.ForeignKey, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
)


class Assistant(models.Model):
    """The settings of one business's assistant. A business without a row gets the defaults."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="assistant", verbose_name="business")
    instructions = models.TextField(
        default=DEFAULT_INSTRUCTIONS, validators=[MaxLengthValidator(limits.LONGEST_INSTRUCTIONS)]
    )
    model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        validators=[limits.validate_model],
        help_text="Leave empty to use OPENAI_MODEL.",
    )
    temperature = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(2)],
        help_text="From 0 to 2. Leave empty for the model's default; some models don't support it.",
    )
    max_output_tokens = models.PositiveIntegerField(
        default=800, validators=[MinValueValidator(16), limits.validate_output_tokens]
    )
    history_limit = models.PositiveSmallIntegerField(
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="How many recent messages are sent to the model.",
    )
    daily_token_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[limits.validate_daily_tokens],
        help_text="The assistant stops replying after this many tokens per day (UTC). Leave empty for no own limit.",
    )
    api_key = EncryptedTextField("API key", blank=True, default="", help_text="Leave empty to use OPENAI_API_KEY.")
    base_url = models.URLField("base URL", blank=True, default="", help_text="Leave empty to use OPENAI_BASE_URL.")
    fallback_text = models.TextField(
        blank=True,
        default=DEFAULT_FALLBACK,
        help_text="Sent when the model fails, at most once per outage. Leave empty to send nothing.",
    )
    quiet_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(60)],
        help_text="Reply once the customer has been quiet for this long. Leave empty to use TURN_QUIET_SECONDS.",
    )
    max_wait_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(300)],
        help_text="Reply at the latest this long after the first message. Leave empty to use TURN_MAX_WAIT_SECONDS.",
    )
    returns_after_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        verbose_name="hand back after (minutes)",
        validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)],
        help_text="Hand a conversation back to the assistant after this many minutes without a reply from your team. "
        "Unanswered messages are then answered. Leave empty to hand back manually.",
    )
    sees_images = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="sees images",
        help_text="Send the customer's recent images to the model. Requires a vision model and uses additional tokens.",
    )

    class FactCheck(models.TextChoices):
        OFF = "off", "Off"
        WARN = "warn", "Send the reply and warn the team"
        ENFORCE = "enforce", "Don't send it: ask the model again, then hand over"

    fact_check = models.CharField(
        max_length=8,
        choices=FactCheck.choices,
        default=FactCheck.WARN,
        db_default=FactCheck.WARN.value,
        help_text="What to do with a reply that states a price, phone number, email address, date or code that is "
        "neither in the instructions nor in the conversation. Sums, and dates counted from today, are fine.",
    )
    allowed_hosts = models.TextField(
        blank=True,
        default="",
        db_default="",
        validators=[
            RegexValidator(r"^\s*(?:[\w-]+(?:\.[\w-]+)+(?:\s+|\Z))*\Z", "Enter one host per line, such as example.com.")
        ],
        verbose_name="allowed hosts",
        help_text="One per line, such as example.com, which includes its subdomains. Replies may link to these hosts "
        "and to those that appear in the instructions or the conversation. Other links are removed.",
    )
    previews_links = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="preview links",
        help_text="Show a preview of the first link in a reply.",
    )
    transcription_language = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        validators=[RegexValidator("^[a-z]{2,3}$", "Enter two or three lowercase letters, for example es.")],
        help_text="The main language of voice messages (ISO 639: es, pt, hi). Leave empty to detect it automatically.",
    )

    class Meta:
        db_table = "assistants"
        constraints = [
            models.CheckConstraint(
                condition=Q(fact_check__in=["off", "warn", "enforce"]), name="assistant_fact_check_known"
            )
        ]

    def __str__(self) -> str:
        return f"Assistant of {self.tenant}"

    @classmethod
    def from_json(cls, text: str | None, tenant_id: int) -> "Assistant":
        """From a row as JSON, with the key still encrypted. Without a row, the defaults."""
        if text is None:
            return cls(tenant_id=tenant_id)
        row = json.loads(text)
        values = {field.attname: row[field.column] for field in cls._meta.concrete_fields}
        return cls(**{**values, "api_key": decrypted(values["api_key"], "assistants.api_key")})

    @property
    def instructions_hash(self) -> str:
        """Identifies the instructions that a reply was generated with."""
        return hashlib.sha256(self.instructions.encode()).hexdigest()[:16]

    @property
    def model_name(self) -> str:
        return self.model if self.model and limits.offers(self.model) else settings.OPENAI_MODEL

    @property
    def output_tokens(self) -> int:
        """The most tokens of one answer."""
        return int(min(self.max_output_tokens, settings.MODEL_MAX_OUTPUT_TOKENS))

    @property
    def daily_tokens(self) -> int | None:
        """The most tokens per day: the business's limit or the installation's, whichever is lower. None: no limit."""
        given = [
            limit for limit in (self.daily_token_limit, settings.BUSINESS_DAILY_TOKENS or None) if limit is not None
        ]
        return min(given, default=None)

    @property
    def endpoint(self) -> str:
        return self.base_url or settings.OPENAI_BASE_URL

    @property
    def key(self) -> str:
        # The installation's key is never sent to a business's own URL.
        return self.api_key or ("" if self.base_url else settings.OPENAI_API_KEY)


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
