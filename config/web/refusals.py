"""Turns a value that the database rejects into a response that says so."""

import logging
from collections.abc import Callable

from django.db import DataError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from psycopg import errors

logger = logging.getLogger(__name__)

BUSY = "The database was busy. Try again in a moment, or search for something more specific."
FOREIGN = "It concerns a business that you don't belong to."
INVALID = "The request contains a value that can't be stored or searched for."


class DatabaseRefusals:
    """503 for a statement that reached its timeout, 400 for a value that PostgreSQL can't take, such as NUL, and 403
    for a row that row-level security refuses: there, one of our own checks is missing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OperationalError) and isinstance(
            error.__cause__, errors.QueryCanceled | errors.LockNotAvailable
        ):
            status, heading, detail = 503, "This took too long", BUSY
        elif isinstance(error, DataError):
            status, heading, detail = 400, "We can't read this request", INVALID
        elif isinstance(error, ProgrammingError) and isinstance(error.__cause__, errors.InsufficientPrivilege):
            logger.error("refused by row-level security: %s %s: %s", request.method, request.path, error)
            status, heading, detail = 403, "You can't do this", FOREIGN
        else:
            return None
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": detail}, status=status)
        return render(request, "refused.html", {"heading": heading, "text": detail}, status=status)
