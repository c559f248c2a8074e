"""Request bodies that would fail later are refused with 400."""

from collections.abc import Mapping
from typing import IO

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

FORM_OVERHEAD_MB = 1  # what a form may contain besides its file


class SafeJSONParser(JSONParser):
    """Refuses JSON that is nested too deeply for Python."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


def check_form_size(request: Request) -> None:
    """Raises ParseError for a form larger than any permitted file, before it's written to disk."""
    max_mb = max(settings.MEDIA_LARGEST_MB.values()) + FORM_OVERHEAD_MB
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_mb * 1024 * 1024:
        raise ParseError("The request body is too large.")
