"""A business's assistant."""

import hashlib
import json

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from tenants.fields import EncryptedTextField, decrypted
from tenants.models import Tenant

from . import limits
from .dialects import Dialect
from .ledger import DailyUsage, Turn
from .restores import Restore
from .turns.steps import TurnStep

__all__ = ["Assistant", "DailyUsage", "Dialect", "Restore", "Turn", "TurnStep"]

DEFAULT_INSTRUCTIONS = (
    "You answer this business's customers on WhatsApp. Be brief, friendly and specific. "
    "Reply in the customer's language. If you don't know the answer, say so and offer to connect them with a member of "
    "the team."
)
DEFAULT_FALLBACK = "Sorry, I can't answer right now. A member of our team will reply here shortly."


class AfterHandover(models.TextChoices):
    CARRY_ON = "carry_on", "Carry on answering"
    SILENT = "silent", "Stay silent"


class OutOfHours(models.TextChoices):
    ANSWERS = "answers", "Answer as usual"
    SAYS = "says", "Answer, and say when your team is back"
    SILENT = "silent", "Stay silent"


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
        help_text="How many recent messages are sent to the model, at least.",
    )
    history_growth = models.PositiveSmallIntegerField(
        default=40,
        db_default=40,
        validators=[MaxValueValidator(200)],
        help_text="How many more may be sent before the oldest are left out. The model's service can then reuse most "
        "of each prompt, which costs less. 0 leaves out the oldest with every message.",
    )
    daily_token_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[limits.validate_daily_tokens],
        help_text="The assistant stops replying after this many tokens per day (UTC). Leave empty for no own limit.",
    )
    embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="Also searches knowledge by meaning, not only by words, for example text-embedding-3-small. The "
        "database needs pgvector. Leave empty to search by words.",
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
    after_handover = models.CharField(
        max_length=8,
        choices=AfterHandover.choices,
        default=AfterHandover.CARRY_ON,
        db_default=AfterHandover.CARRY_ON.value,
        verbose_name="after asking for a person",
        help_text="What the assistant does until someone from your team takes over or marks the matter as handled.",
    )
    person_hint = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        verbose_name="how to reach a person",
        help_text="Added to the first reply of a conversation, for example: Write “agent” at any time to reach a "
        "person. Leave empty to add nothing.",
    )
    out_of_hours = models.CharField(
        max_length=8,
        choices=OutOfHours.choices,
        default=OutOfHours.ANSWERS,
        db_default=OutOfHours.ANSWERS.value,
        verbose_name="outside opening hours",
        help_text="What the assistant does while your team is away. See Opening hours.",
    )
    away_text = models.TextField(
        "away message",
        blank=True,
        default="",
        db_default="",
        help_text="Sent once per conversation and closed period, if the assistant stays silent then.",
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
            RegexValidator(r"^\s*(?:[\w-]+(?:\.[\w-]+)+(?:\s+|\Z))+\Z", "Enter one host per line, such as example.com.")
        ],
        verbose_name="allowed hosts",
        help_text="One per line, such as example.com, which includes its subdomains. Replies may link to these hosts "
        "and to those that appear in the instructions or in your own messages. Other links are removed.",
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
            ),
            models.CheckConstraint(
                condition=Q(after_handover__in=AfterHandover.values), name="assistant_after_handover_known"
            ),
            models.CheckConstraint(
                condition=Q(out_of_hours__in=OutOfHours.values), name="assistant_out_of_hours_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Assistant of {self.tenant}"

    @classmethod
    def of(cls, tenant_id: int | None) -> "Assistant":
        """The business's assistant, or one with the defaults."""
        return cls.objects.filter(tenant=tenant_id).first() or cls(tenant_id=tenant_id)  # type: ignore[misc]

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
    def is_sandboxed(self) -> bool:
        """Whether the sandbox stands in for the model, so that nothing is billed."""
        return bool(settings.SANDBOX_URL) and self.endpoint.startswith(settings.SANDBOX_URL)

    @property
    def key(self) -> str:
        # The installation's key is never sent to a business's own URL.
        return self.api_key or ("" if self.base_url else settings.OPENAI_API_KEY)
