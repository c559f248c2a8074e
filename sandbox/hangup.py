"""Closes the connection of a request without an answer, as a broken network does."""

import contextlib
import socket
from typing import Any

from django.http import HttpRequest, HttpResponse


def hang_up(request: HttpRequest) -> HttpResponse:
    """The response is what a server without a reachable socket gets: an empty 502."""
    connection = _socket(request.META)
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    return HttpResponse(status=502, content_type="text/plain")


def _socket(environ: dict[str, Any]) -> socket.socket | None:
    """gunicorn names it; Django's own server keeps it behind the stream of the body."""
    named = environ.get("gunicorn.socket")
    if named is None:
        read = getattr(environ.get("wsgi.input"), "_read", None)
        raw = getattr(getattr(read, "__self__", None), "raw", None)
        named = getattr(raw, "_sock", None)
    return named if isinstance(named, socket.socket) else None
