"""How large and how slow a request may be, by path."""

from dataclasses import dataclass

from django.conf import settings

KB, MB = 1024, 1024 * 1024

WEBHOOK = "/api/whatsapp/webhook"
# These have threads of their own, which pages and the API can't occupy.
RESERVED = frozenset({WEBHOOK, "/healthz"})
UPLOADS = ("/admin/", "/api/conversations/", "/api/knowledge/")

HEAD = 32 * KB
WEBHOOK_BODY = 3 * MB  # Meta's own limit for one delivery
BODY = MB
FORM_MARGIN = MB  # what a form adds to its file
# Chunked framing may add an eighth to a body: tiny chunks cost far more to parse than they carry.
FRAMING = 64 * KB
SLOWEST = 50 * KB  # bytes per second; for large uploads and downloads only


@dataclass(frozen=True)
class BodyLimit:
    """In bytes. `signed_in` applies to authenticated clients."""

    anyone: int
    signed_in: int


def body_limit(path: str) -> BodyLimit:
    upload = max(*settings.MEDIA_LARGEST_MB.values(), settings.KNOWLEDGE_LARGEST_MB) * MB + FORM_MARGIN
    if path == WEBHOOK:
        return BodyLimit(WEBHOOK_BODY, WEBHOOK_BODY)
    if path.startswith(UPLOADS):
        return BodyLimit(BODY, upload)
    if settings.SANDBOX and path.startswith("/sandbox/"):
        return BodyLimit(upload, upload)
    return BodyLimit(BODY, BODY)


def seconds_for(size: int) -> float:
    """How long a client may take to send or fetch this many bytes, in total."""
    return float(max(settings.WEB_REQUEST_SECONDS, size / SLOWEST))
