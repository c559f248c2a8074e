"""`Idempotency-Key`: a client that got no response can safely repeat its request.

The response is stored in the same transaction as its effects, so both exist or neither does.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable

from django.db import connection, transaction
from django.db.models.functions import Now
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .exceptions import Conflict
from .models import IdempotentResponse

HEADER = "Idempotency-Key"
PATTERN = r"[\x21-\x7e]{1,255}"
KEPT_FOR = dt.timedelta(hours=24)
DELETED_AT_ONCE = 20
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": f"^{PATTERN}$"},
    OpenApiParameter.HEADER,
    description="Makes the request safe to retry: for 24 hours, the same key takes effect only once and returns the "
    "same response.",
)

_DELETE_EXPIRED = """
DELETE FROM api_idempotent_responses WHERE id IN (
    SELECT id FROM api_idempotent_responses WHERE created_at < now() - make_interval(secs => %s)
    ORDER BY (tenant_id = %s AND key = %s) DESC LIMIT %s FOR UPDATE SKIP LOCKED)
"""


class IdempotentRequest:
    """A request that takes effect at most once per tenant, key and day. Without the header, it always does.

    payload: what the client asks for, as JSON. Using the same key for a different payload raises Conflict (409).
    """

    def __init__(self, request: Request, tenant_id: int, payload: object) -> None:
        self.key = request.headers.get(HEADER)
        if self.key is not None and not re.fullmatch(PATTERN, self.key):
            raise ValidationError({HEADER: ["Use 1 to 255 visible ASCII characters without spaces."]})
        self.tenant_id = tenant_id
        # The parsed body, so that key order and whitespace don't matter.
        content = json.dumps([request.method, request.path, payload], sort_keys=True)
        self.hash = hashlib.sha256(content.encode(errors="replace")).hexdigest()

    def run(self, action: Callable[[], Response]) -> Response:
        """The stored response, or the response of `action`, which runs in a transaction. Errors aren't stored.

        Raises Conflict while the first request is still running.
        """
        with transaction.atomic():
            if self.key is None:
                return action()
            _lock_and_delete_expired(self.tenant_id, self.key)
            return self.stored_response() or self._store(self.key, action())

    def stored_response(self) -> Response | None:
        """The response that this key got within the last 24 hours."""
        if self.key is None:
            return None
        recent = IdempotentResponse.objects.filter(created_at__gte=Now() - KEPT_FOR)
        stored = recent.filter(tenant=self.tenant_id, key=self.key).first()
        if stored is None:
            return None
        if stored.request_hash != self.hash:
            raise Conflict(f"This {HEADER} was already used for a different request. Use a new key.")
        return Response(stored.body, stored.status, headers={"Idempotent-Replayed": "true"})

    def _store(self, key: str, response: Response) -> Response:
        IdempotentResponse.objects.create(
            tenant_id=self.tenant_id, key=key, request_hash=self.hash, status=response.status_code, body=response.data
        )
        return response


def _lock_and_delete_expired(tenant_id: int, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"{HEADER}:{tenant_id}:{key}"])
        if not cursor.fetchone()[0]:
            raise Conflict(f"A request with this {HEADER} is still running. Retry in a moment.", wait=1)
        cursor.execute(_DELETE_EXPIRED, [KEPT_FOR.total_seconds(), tenant_id, key, DELETED_AT_ONCE])
