"""Writing entries: one statement each, in the transaction of the action."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

from runtime.row_security.scope import all_businesses

from .acting import Actor, current
from .choices import Action
from .models import LONGEST_TEXT

Change = Mapping[str, str]  # "field", and "before" and "after" unless they're hidden
READ_AGAIN_SECONDS = 15 * 60

_INSERT = """
INSERT INTO audit_entries
    (tenant_id, business, actor_kind, actor_id, actor, address, action, object_type, object_id, object, changes)
SELECT of.id, COALESCE(tenants.name, ''), %(kind)s, %(actor_id)s, %(actor)s, %(address)s, %(action)s,
    %(object_type)s, %(object_id)s, %(object)s, %(changes)s::jsonb
FROM unnest(%(tenants)s::bigint[]) AS of(id) LEFT JOIN tenants ON tenants.id = of.id
"""
# Two requests at once, such as a page and its images, are one reading.
_UNLESS_JUST_READ = """
WHERE pg_try_advisory_xact_lock(hashtextextended(format('audit %%s %%s %%s', %(kind)s, %(actor_id)s, %(object_id)s), 0))
AND NOT EXISTS (
    SELECT FROM audit_entries WHERE action = 'read' AND object_id = %(object_id)s AND actor_kind = %(kind)s
    AND actor_id IS NOT DISTINCT FROM %(actor_id)s AND at > now() - make_interval(secs => %(seconds)s))
"""
_OF_MEMBER = "SELECT array_agg(tenant_id) FROM memberships WHERE user_id = %s"


def record(
    action: Action,
    tenants: Sequence[int | None],
    about: models.Model | None = None,
    *,
    object: str | None = None,
    changes: Sequence[Change] = (),
    actor: Actor | None = None,
) -> None:
    """Record an action in the log of each of these businesses (None: of the installation). Does nothing in a worker.

    about: the row that it was about. object: what that is in words, if not the row's own text.
    """
    actor = actor or current()
    if actor is None:
        return
    with all_businesses(), connection.cursor() as cursor:
        cursor.execute(_INSERT, _values(action, tenants, about, object, changes, actor))


def record_reading(tenant_id: int | None, conversation: models.Model) -> None:
    """Record that someone reads a conversation, unless they've read it in the last 15 minutes."""
    if (actor := current()) is None:
        return
    values = _values(Action.READ, [tenant_id], conversation, words(conversation), (), actor)
    with all_businesses(), connection.cursor() as cursor:
        cursor.execute(_INSERT + _UNLESS_JUST_READ, {**values, "seconds": READ_AGAIN_SECONDS})


def businesses_of(user_id: int | None) -> Sequence[int | None]:
    """In whose logs it is what a user does with their account."""
    with all_businesses(), connection.cursor() as cursor:
        cursor.execute(_OF_MEMBER, [user_id])
        (found,) = cursor.fetchone()
    return found or [None]


def words(row: models.Model) -> str:
    """A row by its ID, for rows whose text is a customer's name or words."""
    return f"{row._meta.verbose_name} {row.pk}"


def _values(
    action: Action,
    tenants: Sequence[int | None],
    about: models.Model | None,
    text: str | None,
    changes: Sequence[Change],
    actor: Actor,
) -> dict[str, Any]:
    if text is None:
        text = str(about) if about else ""
    return {
        "tenants": list(tenants),
        "kind": actor.kind.value,
        "actor_id": actor.id,
        "actor": _fitting(actor.name),
        "address": actor.address,
        "action": action.value,
        "object_type": about._meta.label_lower if about else "",
        "object_id": about.pk if about else None,
        "object": _fitting(text),
        "changes": json.dumps(list(changes), ensure_ascii=False),
    }


def _fitting(text: str) -> str:
    text = text.replace("\x00", "")
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
