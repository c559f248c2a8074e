"""`Idempotency-Key`: a program that learned no answer asks again, and what it wants happens once.

The answer is a row, written in the transaction of what it tells of: either both exist or neither.
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .exceptions import Conflict
from .models import IdempotentResponse

HEADER = "Idempotency-Key"
PATTERN = r"[\x21-\x7e]{1,255}"
CLEARED_AT_ONCE = 20

_CLEAR = """
DELETE FROM api_remembered_answers WHERE id IN (
    SELECT id FROM api_remembered_answers WHERE created_at < now() - interval '24 hours'
    ORDER BY (tenant_id = %s AND key = %s) DESC LIMIT %s FOR UPDATE SKIP LOCKED)
"""


class Once:
    """One request that acts at most once per key, tenant and day; without the header it acts whenever it is asked.

    wanted: what is asked for, as JSON; the same key for something else is refused (Conflict, 409).
    """

    def __init__(self, request: Request, tenant_id: int, wanted: Any) -> None:
        self.key = request.headers.get(HEADER)
        if self.key is not None and not re.fullmatch(PATTERN, self.key):
            raise ValidationError({HEADER: ["1 to 255 visible ASCII characters, without spaces."]})
        self.tenant_id = tenant_id
        asked = json.dumps([request.method, request.path, wanted], sort_keys=True)
        # The address and the meaning of the body, not its spelling.
        self.hash = hashlib.sha256(asked.encode(errors="replace")).hexdigest()

    def act(self, act: Callable[[], Response]) -> Response:
        """The answer of `act`, which runs in a transaction; or the one it gave the first time. A refusal is not kept.

        Raises Conflict when the first is still running.
        """
        with transaction.atomic():
            if self.key is None:
                return act()
            _begin(self.tenant_id, self.key)
            return self.known() or self._keep(self.key, act())

    def known(self) -> Response | None:
        """The answer that was given before, within the last day."""
        if self.key is None:
            return None
        today = IdempotentResponse.objects.filter(created_at__gte=Now() - dt.timedelta(hours=24))
        known = today.filter(tenant=self.tenant_id, key=self.key).first()
        if known is None:
            return None
        if known.request_hash != self.hash:
            raise Conflict(f"This {HEADER} was used for another request. Take a new one.")
        return Response(known.body, known.status, headers={"Idempotent-Replayed": "true"})

    def _keep(self, key: str, answer: Response) -> Response:
        IdempotentResponse.objects.create(
            tenant_id=self.tenant_id,
            key=key,
            request_hash=self.hash,
            status=answer.status_code,
            body=answer.data,
        )
        return answer


def _begin(tenant_id: int, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"{HEADER}:{tenant_id}:{key}"])
        if not cursor.fetchone()[0]:
            raise Conflict(f"The first request with this {HEADER} is still running. Ask again in a moment.", wait=1)
        cursor.execute(_CLEAR, [tenant_id, key, CLEARED_AT_ONCE])
