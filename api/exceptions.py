"""Errors that DRF has no class for, and the handler that answers all of them as JSON."""

from django.core.exceptions import RequestDataTooBig
from rest_framework import views
from rest_framework.exceptions import APIException, ParseError
from rest_framework.response import Response

from api.serializers.wording import in_our_words


class Conflict(APIException):
    """409: the resource's current state doesn't allow this."""

    status_code = 409
    default_code = "conflict"

    def __init__(self, detail: str, wait: int | None = None) -> None:
        super().__init__(detail)
        if wait is not None:
            self.wait = wait  # seconds; DRF sends it as Retry-After


class Unavailable(APIException):
    """503: Meta's API didn't answer."""

    status_code = 503
    default_code = "unavailable"


def exception_handler(error: Exception, context: dict[str, object]) -> Response | None:
    """DRF's handler in our words, plus an error that Django would otherwise answer with an HTML page."""
    if isinstance(error, RequestDataTooBig):
        error = ParseError("The request body is too large.")
    response = views.exception_handler(error, context)
    if response is not None:
        response.data = in_our_words(response.data)
    return response
