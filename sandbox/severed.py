"""Closes a request's connection without a response, like a broken network."""

import contextlib
import socket
from typing import Any

from django.http import HttpRequest, HttpResponse


class Severed(HttpResponse):
    """No response. If the server's socket can't be reached, an empty 502 is sent."""

    status_code = 502


def sever(request: HttpRequest) -> None:
    """Close the connection. Call this last, because the client sees it immediately."""
    connection = _socket(request.META)
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _socket(environ: dict[str, Any]) -> socket.socket | None:
    """gunicorn puts it in the environ. Django's development server hides it behind the body's stream."""
    named = environ.get("gunicorn.socket")
    if named is None:
        read = getattr(environ.get("wsgi.input"), "_read", None)
        raw = getattr(getattr(read, "__self__", None), "raw", None)
        named = getattr(raw, "_sock", None)
    return named if isinstance(named, socket.socket) else None
