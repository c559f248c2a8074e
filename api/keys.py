"""API keys and admin tokens: generated once, shown once, and stored only as a hash."""

import datetime as dt
import hashlib
import hmac
import secrets

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from api.models import AdminToken, ApiKey
from audit import watching
from runtime.clock import from_now

KEY_PREFIX, ADMIN_PREFIX = "prk", "pra"  # let secret scanners recognize a leaked key
ADMIN_TOKEN_SECONDS = 90 * 86_400
USE_RECORDED_EVERY = dt.timedelta(minutes=1)


def generate(key: ApiKey, user: User) -> str:
    """Give an unsaved key its secret and its creator. Returns the token, which can't be recovered later."""
    key.prefix = f"{KEY_PREFIX}_{secrets.token_hex(6)}"
    key.token = f"{key.prefix}_{secrets.token_urlsafe(32)}"
    key.hash = _hash(key.token)
    key.created_by = user
    return key.token


def find(token: str, keys: "QuerySet[ApiKey]") -> ApiKey | None:
    """The key of this token. `keys`: those that may be used."""
    prefix = "_".join(token.split("_")[:2]).replace("\x00", "")[:32]
    key = keys.select_related("tenant", "created_by").filter(prefix=prefix).first()
    return key if key is not None and hmac.compare_digest(key.hash, _hash(token)) else None


def record_use(key: ApiKey | AdminToken) -> None:
    """Update `last_used_at`, at most once a minute even if several requests race."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at <= now - USE_RECORDED_EVERY:
        is_due = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_RECORDED_EVERY)
        type(key)._default_manager.filter(is_due, pk=key.pk).update(last_used_at=now)


def revoke(keys: "QuerySet[ApiKey] | QuerySet[AdminToken]") -> int:
    """Revoke these keys. Returns how many were still active."""
    return watching.update(keys.filter(revoked_at=None), revoked_at=Now())


def generate_admin_token(user: User) -> str:
    """Generate a token that replaces the user's current one. It can't be recovered later."""
    token = f"{ADMIN_PREFIX}_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        revoke(AdminToken.objects.filter(user=user))
        AdminToken.objects.create(user=user, hash=_hash(token), expires_at=from_now(ADMIN_TOKEN_SECONDS))
    return token


def find_admin_token(token: str, tokens: "QuerySet[AdminToken]") -> AdminToken | None:
    """The row of this token. `tokens`: those that may be used."""
    return tokens.select_related("user").filter(hash=_hash(token)).first()


def _hash(token: str) -> str:
    # A fast hash is enough: 256 random bits can't be guessed.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
