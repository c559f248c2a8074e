"""Who signed a delivery: the ``X-Hub-Signature-256`` header of Meta's webhooks.

Source: Meta, "Webhooks > Getting started > Validate payloads".
"""

import hashlib
import hmac
from collections.abc import Iterable


def sign(body: bytes, secret: str) -> str:
    """The header that Meta sends with this raw body: ``sha256=`` and 64 hex digits."""
    return "sha256=" + hmac.digest(_bytes(secret), body, hashlib.sha256).hex()


def is_valid(body: bytes, header: str | None, secrets: Iterable[str]) -> bool:
    """Whether one of the app secrets signed this raw body. Never raises.

    Several secrets may be active during a rotation. Blank secrets are skipped: anyone can sign with an empty key.
    """
    given = (header or "").encode("ascii", "replace")  # compare_digest raises on text beyond ASCII
    # A list, not a generator: the time it takes doesn't tell which of the secrets matched.
    matches = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret.strip()]
    return any(matches)


def _bytes(secret: str) -> bytes:
    # Environment variables hold undecodable bytes as lone surrogates; this restores the bytes.
    return secret.encode("utf-8", "surrogateescape")
