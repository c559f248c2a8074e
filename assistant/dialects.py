"""What a model's endpoint accepts. Services that call themselves compatible with OpenAI's API differ in this."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models import Tenant

LONGEST_KEY = 300
ACCEPTED = [(True, "Accepted"), (False, "Not accepted")]


class Dialect(models.Model):
    """What one endpoint accepts for one model, as a business's assistant has learned it or an owner has corrected it.

    An endpoint without a row gets the defaults, which are OpenAI's. Each business learns for itself, so that a
    correction affects nobody else.
    """

    class OutputLimit(models.TextChoices):
        MAX_COMPLETION_TOKENS = "max_completion_tokens"
        MAX_TOKENS = "max_tokens"

    class Instructions(models.TextChoices):
        SYSTEM = "system", "As a system message"
        DEVELOPER = "developer", "As a developer message"
        USER = "user", "At the start of the first user message"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    endpoint = models.CharField(max_length=LONGEST_KEY, help_text="Without user, password and query.")
    model = models.CharField(max_length=LONGEST_KEY)
    output_limit = models.CharField(
        max_length=32,
        choices=OutputLimit.choices,
        default=OutputLimit.MAX_COMPLETION_TOKENS,
        db_default=OutputLimit.MAX_COMPLETION_TOKENS.value,
        help_text="The name of the parameter that limits the output tokens.",
    )
    most_output_tokens = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The most output tokens that the endpoint allows. Leave empty if it's not known.",
    )
    instructions = models.CharField(
        max_length=16,
        choices=Instructions.choices,
        default=Instructions.SYSTEM,
        db_default=Instructions.SYSTEM.value,
        help_text="How the instructions are sent.",
    )
    user_first = models.BooleanField(
        "order of messages",
        choices=[(False, "Any"), (True, "Customer first, then alternating")],
        default=False,
        db_default=False,
    )
    temperature = models.BooleanField("temperature parameter", choices=ACCEPTED, default=True, db_default=True)
    images = models.BooleanField(choices=ACCEPTED, default=True, db_default=True)
    tools = models.BooleanField(choices=ACCEPTED, default=True, db_default=True)
    prompt_cache_key = models.BooleanField(
        "prompt cache key",
        choices=ACCEPTED,
        null=True,
        blank=True,
        help_text="Names the conversation, so that the service finds its cached prompt. Empty: sent to OpenAI only.",
    )
    reason = models.TextField("last refusal", blank=True, default="", db_default="")
    updated_at = models.DateTimeField(db_default=Now(), auto_now=True)

    # What can be learned or corrected.
    FEATURES = (
        *("output_limit", "most_output_tokens", "instructions", "user_first", "temperature", "images", "tools"),
        "prompt_cache_key",
    )

    class Meta:
        db_table = "model_dialects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "endpoint", "model"], name="dialect_once_by_model"),
            models.CheckConstraint(
                condition=Q(output_limit__in=["max_completion_tokens", "max_tokens"]), name="dialect_output_limit_known"
            ),
            models.CheckConstraint(
                condition=Q(instructions__in=["system", "developer", "user"]), name="dialect_instructions_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} at {self.endpoint}"

    @property
    def sends_cache_key(self) -> bool:
        host = urlsplit(self.endpoint).hostname or ""
        return host == "api.openai.com" if self.prompt_cache_key is None else self.prompt_cache_key

    @classmethod
    def key(cls, endpoint: str, model: str) -> tuple[str, str]:
        """How an endpoint and a model are stored: without secrets, and within their columns."""
        url = urlsplit(endpoint)
        address = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
        return address[:LONGEST_KEY], model[-LONGEST_KEY:].replace("\x00", "")

    @classmethod
    def of(cls, tenant_id: int | None, endpoint: str, model: str) -> "Dialect":
        """The row for this endpoint and model, or the defaults, not stored."""
        endpoint, model = cls.key(endpoint, model)
        if tenant_id is None:
            return cls(endpoint=endpoint, model=model)
        found = cls._default_manager.filter(tenant=tenant_id, endpoint=endpoint, model=model).first()
        return found or cls(tenant_id=tenant_id, endpoint=endpoint, model=model)

    @classmethod
    def from_json(cls, text: str | None, tenant_id: int, endpoint: str, model: str) -> "Dialect":
        """As `of`, from the business's rows as JSON."""
        endpoint, model = cls.key(endpoint, model)
        for row in json.loads(text or "[]"):
            if (row["endpoint"], row["model"]) == (endpoint, model):
                return cls(**{field.attname: row[field.column] for field in cls._meta.concrete_fields})
        return cls(tenant_id=tenant_id, endpoint=endpoint, model=model)

    def save_features(self, **features: Any) -> None:
        """Store these features only, so that what someone else learns or corrects meanwhile is kept."""
        type(self)._default_manager.update_or_create(
            tenant_id=self.tenant_id, endpoint=self.endpoint, model=self.model, defaults=features
        )
