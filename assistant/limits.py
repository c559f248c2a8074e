"""What the installation lets its businesses use of a model, however their assistants are set up."""

from django.conf import settings
from django.core.exceptions import ValidationError

LONGEST_INSTRUCTIONS = 20_000  # characters
LONGEST_TEXT = 10_000  # characters of a message or a file that the model is shown


def offers(model: str) -> bool:
    return not settings.MODELS or model in (settings.OPENAI_MODEL, *settings.MODELS)


def validate_model(name: str) -> None:
    if not offers(name):
        raise ValidationError(f"Choose one of these models: {', '.join(settings.MODELS)}.")


def validate_output_tokens(tokens: int) -> None:
    if tokens > settings.MODEL_MAX_OUTPUT_TOKENS:
        raise ValidationError(f"This installation allows at most {settings.MODEL_MAX_OUTPUT_TOKENS:,}.")


def validate_daily_tokens(tokens: int) -> None:
    if settings.BUSINESS_DAILY_TOKENS and tokens > settings.BUSINESS_DAILY_TOKENS:
        raise ValidationError(f"This installation allows at most {settings.BUSINESS_DAILY_TOKENS:,} per day.")


def cut(text: str) -> str:
    """The beginning of a long text, and how much is missing."""
    missing = len(text) - LONGEST_TEXT
    return text if missing <= 0 else f"{text[:LONGEST_TEXT]}…\n(Cut off here: {missing:,} more characters.)"
