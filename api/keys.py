"""API keys: generated once, shown once, and stored only as a hash."""

import datetime as dt
import hashlib
import hmac
import secrets

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from api.models import ApiKey

KEY_PREFIX = "prk"  # lets secret scanners recognize a leaked key
USE_RECORDED_EVERY = dt.timedelta(minutes=1)


def generate(key: ApiKey, user: User) -> str:
    """Give an unsaved key its secret and its creator. Returns the token, which can't be recovered later."""
    key.prefix = f"{KEY_PREFIX}_{secrets.token_hex(6)}"
    token = f"{key.prefix}_{secrets.token_urlsafe(32)}"
    key.hash = _hash(token)
    key.created_by = user
    return token


def authenticate(token: str) -> ApiKey | None:
    """The key of this token, unless it's unknown or revoked. Records that the key was used."""
    prefix = "_".join(token.split("_")[:2]).replace("\x00", "")[:32]
    key = ApiKey.objects.select_related("tenant", "created_by").filter(prefix=prefix, revoked_at=None).first()
    if key is None or not hmac.compare_digest(key.hash, _hash(token)):
        return None
    record_use(key)
    return key


def record_use(key: ApiKey) -> None:
    """Update `last_used_at`, at most once a minute even if several requests race."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at <= now - USE_RECORDED_EVERY:
        is_due = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_RECORDED_EVERY)
        ApiKey.objects.filter(is_due, pk=key.pk).update(last_used_at=now)


def revoke(keys: "QuerySet[ApiKey]") -> int:
    """Revoke these keys. Returns how many were still active."""
    return keys.filter(revoked_at=None).update(revoked_at=Now())


def _hash(token: str) -> str:
    # A fast hash is enough: 256 random bits can't be guessed.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
