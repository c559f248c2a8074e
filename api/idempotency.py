"""`Idempotency-Key`: a program that learned no answer asks again, and what it wants happens once.

The answer is a row, written in the transaction of what it tells of: either both exist or neither.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .models import RememberedAnswer
from .refusals import Conflict

HEADER = "Idempotency-Key"
PATTERN = r"[\x21-\x7e]{1,255}"
CLEARED_AT_ONCE = 20

_CLEAR = """
DELETE FROM api_remembered_answers WHERE id IN (
    SELECT id FROM api_remembered_answers WHERE created_at < now() - interval '24 hours'
    ORDER BY (tenant_id IS NOT DISTINCT FROM %s AND key = %s) DESC LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def once(request: Request, tenant_id: int | None, act: Callable[[], Response]) -> Response:
    """The answer of `act`, which runs in a transaction; with the header, at most once per key, tenant and day.

    Raises Conflict (409) when the first is still running, or asked for something else. A refusal is not kept.
    """
    key = request.headers.get(HEADER)
    if key is None:
        with transaction.atomic():
            return act()
    if not re.fullmatch(PATTERN, key):
        raise ValidationError({HEADER: ["1 to 255 visible ASCII characters, without spaces."]})
    with transaction.atomic():
        _begin(tenant_id, key)
        return _known(request, tenant_id, key) or _keep(request, tenant_id, key, act())


def _begin(tenant_id: int | None, key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"{HEADER}:{tenant_id}:{key}"])
        if not cursor.fetchone()[0]:
            raise Conflict(f"The first request with this {HEADER} is still running. Ask again in a moment.", wait=1)
        cursor.execute(_CLEAR, [tenant_id, key, CLEARED_AT_ONCE])


def _known(request: Request, tenant_id: int | None, key: str) -> Response | None:
    known = RememberedAnswer.objects.filter(tenant=tenant_id, key=key).first()
    if known is None:
        return None
    if known.request_hash != _hash(request):
        raise Conflict(f"This {HEADER} was used for another request. Take a new one.")
    return Response(known.body, known.status, headers={"Idempotent-Replayed": "true"})


def _keep(request: Request, tenant_id: int | None, key: str, answer: Response) -> Response:
    RememberedAnswer.objects.create(
        tenant_id=tenant_id,
        key=key,
        request_hash=_hash(request),
        status=answer.status_code,
        body=answer.data,
    )
    return answer


def _hash(request: Request) -> str:
    """Of what is asked for: the address and the meaning of the body, not its spelling."""
    asked: list[Any] = [request.method, request.path, request.data]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode(errors="replace")).hexdigest()
