"""JSON from strangers: what gets through can be walked, stored by PostgreSQL and written out again."""

import json
import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser, MultiPartParser

MAX_DEPTH = 32
MARGIN_MB = 1  # of a form around its file


class SafeJSONParser(JSONParser):
    """400, not 500, for what nests so deeply that Python gives up."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


class FormParser(MultiPartParser):
    """400 for a form that is larger than any file may be, before it fills the disk."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        largest = max(settings.MEDIA_LARGEST_MB.values()) + MARGIN_MB
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > largest * 1024 * 1024:
            raise ParseError("The body is too large.")
        return super().parse(stream, media_type, parser_context)


def storable(value: Any, depth: int = MAX_DEPTH) -> None:
    """Raises ValidationError for free JSON that PostgreSQL would refuse: NUL, half a surrogate pair, infinity."""
    if not depth:
        raise ValidationError(f"Nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        for name, inner in value.items():
            storable(name, depth)
            storable(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            storable(inner, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("A number is too large.")
    elif isinstance(value, str) and ("\x00" in value or value != value.encode(errors="ignore").decode()):
        raise ValidationError(f"Text that cannot be stored: {json.dumps(value)[:80]}")


def finite(value: float) -> None:
    """Raises ValidationError for NaN and infinities, which Django's own limits let through."""
    if not math.isfinite(value):
        raise ValidationError("A valid number is required.")
