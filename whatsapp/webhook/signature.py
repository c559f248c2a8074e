"""Who signed a delivery: the ``X-Hub-Signature-256`` header of Meta's webhooks.

Source: Meta, "Webhooks > Getting started > Validate payloads".
"""

import hashlib
import hmac
from collections.abc import Iterable


def sign(body: bytes, secret: str) -> str:
    """What Meta puts into the header for this raw body: ``sha256=`` and 64 hex digits."""
    return "sha256=" + hmac.new(_bytes(secret), body, hashlib.sha256).hexdigest()


def is_valid(body: bytes, header: str | None, secrets: Iterable[str]) -> bool:
    """Whether one of the app secrets signed this raw body. Never raises.

    Several secrets may be active while one is rotated. No secret means no, and a blank one is skipped:
    anybody can sign with the empty key.
    """
    given = (header or "").encode("ascii", "replace")  # compare_digest raises on text beyond ASCII
    # A list, not a generator: the time taken does not tell which of the secrets it was.
    answers = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret.strip()]
    return any(answers)


def _bytes(secret: str) -> bytes:
    # Environment variables hold undecodable bytes as lone surrogates; this gives the bytes back.
    return secret.encode("utf-8", "surrogateescape")
