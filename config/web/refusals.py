"""Turns a value that the database rejects into a response that says so."""

from collections.abc import Callable

from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from psycopg import errors

BUSY = "The database was busy. Try again in a moment, or search for something more specific."
INVALID = "The request contains a value that can't be stored or searched for."


class DatabaseRefusals:
    """503 for a statement that reached its timeout, and 400 for a value that PostgreSQL can't take, such as NUL."""

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
        else:
            return None
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": detail}, status=status)
        return render(request, "refused.html", {"heading": heading, "text": detail}, status=status)
