"""Refusals that DRF has no class for."""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import APIException, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler


class Conflict(APIException):
    """409: the state of the row does not allow it now."""

    status_code = 409
    default_code = "conflict"

    def __init__(self, detail: str, wait: int | None = None) -> None:
        super().__init__(detail)
        if wait is not None:
            self.wait = wait  # DRF makes it Retry-After


class Unavailable(APIException):
    """503: Meta was asked, and did not tell."""

    status_code = 503
    default_code = "unavailable"


def in_json(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST_FRAMEWORK's EXCEPTION_HANDLER: also what Django would refuse with a page."""
    if isinstance(error, RequestDataTooBig):
        error = ParseError("The body is too large.")
    return exception_handler(error, context)
