"""Closes the connection of a request without an answer, as a broken network does."""

import contextlib
import socket
from typing import Any

from django.http import HttpRequest, HttpResponse


class Severed(HttpResponse):
    """Stands for no answer. What a server without a reachable socket sends is an empty 502."""

    status_code = 502


def sever(request: HttpRequest) -> None:
    """Close the connection; call it last, since who asked sees it at once."""
    connection = _socket(request.META)
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _socket(environ: dict[str, Any]) -> socket.socket | None:
    """gunicorn names it; Django's own server keeps it behind the stream of the body."""
    named = environ.get("gunicorn.socket")
    if named is None:
        read = getattr(environ.get("wsgi.input"), "_read", None)
        raw = getattr(getattr(read, "__self__", None), "raw", None)
        named = getattr(raw, "_sock", None)
    return named if isinstance(named, socket.socket) else None
