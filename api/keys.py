"""API keys: made once, shown once, found again by their hash."""

import hashlib
import hmac
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from api.models import ApiKey

MARK = "prk"  # what a scanner of published code looks for
SEEN_SECONDS = 60  # last_used_at is written at most this often


def fill(key: ApiKey, made_by: User) -> str:
    """Give a key its secret; the answer, to be shown once, is what the program sends."""
    key.prefix = f"{MARK}_{secrets.token_hex(6)}"
    token = f"{key.prefix}_{secrets.token_urlsafe(32)}"
    # A fast hash is right for 256 random bits: there is nothing to guess.
    key.hash = _hash(token)
    key.created_by = made_by
    return token


def issue(made_by: User, **columns: Any) -> tuple[ApiKey, str]:
    """A new key and its secret."""
    key = ApiKey(**columns)
    token = fill(key, made_by)
    key.save()
    return key, token


def find(token: str) -> ApiKey | None:
    """The key that this secret belongs to, unless it is revoked; its use is noted."""
    prefix = "_".join(token.split("_")[:2]).replace("\x00", "")[:32]
    known = ApiKey.objects.select_related("tenant", "created_by").filter(prefix=prefix, revoked_at=None).first()
    if known is None or not hmac.compare_digest(known.hash, _hash(token)):
        return None
    _note_use(known)
    return known


def revoke(keys: Any) -> int:
    """Revoke those of these keys that are not revoked yet. How many."""
    count: int = keys.filter(revoked_at=None).update(revoked_at=Now())
    return count


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() >= SEEN_SECONDS:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now)
        ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)
