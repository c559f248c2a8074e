"""Web Push: encrypts a message for one browser (RFC 8291), signs the request with the installation's key (RFC 8292) and
makes the request to the browser's push service. The request goes out through the client for URLs that others gave us.
"""

import base64
import binascii
import json
import time
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.exceptions import ValidationError
from py_vapid import Vapid02

from runtime.public_addresses import flaw

from .models import PushSubscription, VapidKey

KEPT_SECONDS = 4 * 3600  # by the push service, for a device that's offline
SIGNED_SECONDS = 12 * 3600  # at most 24 hours
CURVE = ec.SECP256R1()


def request_for(device: PushSubscription, message: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the request that brings this message to a device."""
    body = http_ece.encrypt(
        json.dumps(message, ensure_ascii=False).encode(),
        private_key=ec.generate_private_key(CURVE),
        dh=_decoded(device.public_key),
        auth_secret=_decoded(device.auth_secret),
        version="aes128gcm",
    )
    parts = urlsplit(device.endpoint)
    contact = (
        settings.PUBLIC_URL if settings.PUBLIC_URL.startswith("https:") else f"mailto:{settings.DEFAULT_FROM_EMAIL}"
    )
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(time.time()) + SIGNED_SECONDS, "sub": contact}
    return body, {
        **_vapid().sign(claims),
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(KEPT_SECONDS),
        "Urgency": "high",
        "Topic": message["tag"],  # a later message of the same incident replaces one that hasn't arrived
    }


def application_server_key() -> str:
    """The public key with which browsers subscribe."""
    point = _vapid().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def check(endpoint: str, public_key: str, auth_secret: str) -> None:
    """Raises ValidationError if this isn't a browser's subscription."""
    if problem := flaw(endpoint):
        raise ValidationError(problem)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, _decoded(public_key))
        is_secret = len(_decoded(auth_secret)) == 16
    except (ValueError, binascii.Error):
        is_secret = False
    if not is_secret or len(endpoint) > 1000:
        raise ValidationError("This isn't a push subscription.")


def _vapid() -> Vapid02:
    """The installation's key; made and stored when it's first needed."""
    stored = VapidKey.objects.filter(pk=1).first()
    if stored is None:
        made = Vapid02()
        made.generate_keys()
        stored, _ = VapidKey.objects.get_or_create(pk=1, defaults={"private_key": made.private_pem().decode()})
    return Vapid02.from_pem(stored.private_key.encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
