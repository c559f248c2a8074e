"""The rate limit: requests per minute and API key, counted in the database for all processes."""

import math
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from rest_framework.exceptions import Throttled

from api.models import ApiKey

_COUNT = """
INSERT INTO api_rate_windows AS w (key_id, started_at, requests) VALUES (%s, clock_timestamp(), 1)
ON CONFLICT (key_id) DO UPDATE SET
    started_at = CASE WHEN w.started_at > clock_timestamp() - {0} THEN w.started_at ELSE clock_timestamp() END,
    requests = CASE WHEN w.started_at > clock_timestamp() - {0} THEN w.requests + 1 ELSE 1 END
RETURNING requests, EXTRACT(EPOCH FROM started_at + {0} - clock_timestamp())
""".format("interval '1 minute'")


class RateLimitExceeded(Throttled):
    default_detail = "Rate limit exceeded."
    extra_detail_singular = "Retry in {wait} second."
    extra_detail_plural = "Retry in {wait} seconds."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key has left in its current minute."""

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


def count(key: ApiKey) -> Allowance:
    """Count one request."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key.pk])
        used, seconds = cursor.fetchone()
    return Allowance(settings.API_RATE_LIMIT, used, max(1, math.ceil(seconds)))
