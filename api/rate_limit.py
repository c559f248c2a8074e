"""Limits per minute, counted in the database for all processes: requests of a key or an admin token, and failed
attempts to authenticate from an IP address.
"""

import math
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from rest_framework.exceptions import Throttled

from api.models import AdminToken, ApiKey, ClientWindow
from runtime.clock import ago

_COUNT = """
INSERT INTO {table} AS w ({column}, started_at, requests) VALUES (%s, clock_timestamp(), 1)
ON CONFLICT ({column}) DO UPDATE SET
    started_at = CASE WHEN w.started_at > clock_timestamp() - {minute} THEN w.started_at ELSE clock_timestamp() END,
    requests = CASE WHEN w.started_at > clock_timestamp() - {minute} THEN w.requests + 1 ELSE 1 END
RETURNING requests, EXTRACT(EPOCH FROM started_at + {minute} - clock_timestamp())
"""
_OF_KEY = _COUNT.format(table="api_rate_windows", column="key_id", minute="interval '1 minute'")
_OF_CLIENT = _COUNT.format(table="api_client_windows", column="name", minute="interval '1 minute'")


class RateLimitExceeded(Throttled):
    default_detail = "Rate limit exceeded."
    extra_detail_singular = "Retry in {wait} second."
    extra_detail_plural = "Retry in {wait} seconds."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left in the current minute."""

    limit: int
    used: int
    resets_in: int  # whole seconds, at least 1

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.resets_in),
        }

    def enforce(self) -> None:
        """Raises RateLimitExceeded (429, with Retry-After)."""
        if self.used > self.limit:
            raise RateLimitExceeded(wait=self.resets_in)


def count(credential: ApiKey | AdminToken) -> Allowance:
    """Count one request."""
    if isinstance(credential, ApiKey):
        return _count(_OF_KEY, credential.pk, settings.API_RATE_LIMIT)
    return _count(_OF_CLIENT, f"token:{credential.pk}", settings.API_RATE_LIMIT)


def count_failure(address: str | None) -> Allowance:
    """Count one failed attempt to authenticate from this IP address."""
    return _count(_OF_CLIENT, _name(address), settings.API_FAILURE_LIMIT)


def blocked(address: str | None) -> "QuerySet[ClientWindow]":
    """A row if this IP address has reached its limit of failed attempts."""
    window = ClientWindow.objects.filter(name=_name(address), started_at__gt=ago(60))
    return window.filter(requests__gte=settings.API_FAILURE_LIMIT)


def _name(address: str | None) -> str:
    return f"address:{address or 'unknown'}"


def _count(statement: str, key: int | str, limit: int) -> Allowance:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key])
        used, seconds = cursor.fetchone()
    return Allowance(limit, used, max(1, math.ceil(seconds)))
