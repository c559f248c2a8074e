"""Fields and validators that DRF doesn't have."""

import math

from django.db import models
from rest_framework import serializers

from runtime.untrusted_json import clean

SECRET = {"write_only": True, "required": False, "style": {"input_type": "password"}}


class IsSetField(serializers.BooleanField):
    """Whether a secret is stored, in place of the secret itself. Always read-only."""

    def __init__(self, source: str) -> None:
        super().__init__(source=source, read_only=True)

    def to_representation(self, value: object) -> bool:
        return bool(value)


class FiniteFloatField(serializers.FloatField):
    """A float that isn't NaN or infinite: Django's validators let NaN through."""

    def to_internal_value(self, data: float | str) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


FIELDS_OF_MODELS = {**serializers.ModelSerializer.serializer_field_mapping, models.FloatField: FiniteFloatField}


def validate_storable(value: object) -> None:
    """Raises ValidationError for JSON that PostgreSQL can't store."""
    if clean(value) != value:
        raise serializers.ValidationError(
            "This JSON can't be stored: it contains NUL characters, invalid Unicode or numbers that are too large, "
            "or it's nested too deeply."
        )
