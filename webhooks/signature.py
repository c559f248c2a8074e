"""The signature of what we send, and the secret it is made with."""

import hashlib
import hmac
import secrets


def new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The value of `Parley-Signature`: the time and HMAC-SHA256 over "time.body", in hexadecimal."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (timestamp, body), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
