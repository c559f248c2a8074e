"""JSON from strangers: what gets through can be walked, stored by PostgreSQL and written out again."""

import json
import math
from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 32


class SafeJSONParser(JSONParser):
    """400, not 500, for what nests so deeply that Python gives up."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


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
