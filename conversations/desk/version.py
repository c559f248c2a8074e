"""What an open page of the inbox has seen, so that a poll can tell in one query whether anything has changed."""

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection

from runtime.row_security.scope import Scope, within

from .transcript import MAX_LIVE

_ETAG = re.compile(r'(?:W/)?"([0-9a-f]*)\.([0-9a-f]*)\.(\d{0,18})\.(\d*-\d*)"')
# A change that commits late isn't the newest: so the newest few of each business are compared, not the newest alone.
_NEWEST = 20
NOTHING_TOLD = "0-"
# Days begin at a quarter of an hour everywhere: then the list shows dates instead of times.
# xmin and ctid are who wrote the row's current version, and where: they change with every update. A conversation's
# `updated_at` doesn't change when someone reads it, which must not refresh every desk.
_VERSION = """
WITH newest AS (
    SELECT c.* FROM tenants t CROSS JOIN LATERAL (
        SELECT id, updated_at AS version FROM conversations WHERE tenant_id = t.id
        ORDER BY updated_at DESC, id DESC LIMIT {newest}
    ) AS c WHERE {of_tenant}
    {without_tenant}
), opened AS (
    SELECT id, updated_at, last_inbound_at > statement_timestamp() - interval '24 hours' AS has_window
    FROM conversations WHERE id = %(open)s AND {is_visible}
), shown AS (
    SELECT id, concat(xmin, ctid) AS version FROM conversation_messages
    WHERE conversation_id = (SELECT id FROM opened) AND created_at >= coalesce(
        (SELECT created_at FROM conversation_messages WHERE id = %(since)s AND conversation_id = %(open)s), '-infinity')
    ORDER BY created_at DESC, id DESC LIMIT {max_live}
)
SELECT
    md5(concat(date_bin('15 minutes', statement_timestamp(), 'epoch'),
        (SELECT string_agg(concat(id, ' ', version), ',' ORDER BY id) FROM newest))),
    CASE WHEN %(open)s::bigint IS NOT NULL THEN md5(concat_ws('|',
        (SELECT concat(updated_at, has_window) FROM opened),
        (SELECT string_agg(concat(id, ' ', version), ',' ORDER BY id) FROM shown),
        (SELECT string_agg(concat(id, ' ', xmin, ctid), ',' ORDER BY id)
            FROM attachments WHERE message_id IN (SELECT id FROM shown)),
        (SELECT concat(count(*), ' ', max(id)) FROM conversation_notes WHERE conversation_id = (SELECT id FROM opened))
    )) ELSE '' END,
    (SELECT concat(count(*), '-', max(id)) FROM notification_deliveries
        WHERE user_id = %(user)s AND channel = 'page' AND is_open AND {is_visible})
"""
_WITHOUT_TENANT = """UNION ALL (
        SELECT id, updated_at FROM conversations WHERE tenant_id IS NULL
        ORDER BY updated_at DESC, id DESC LIMIT {newest}
    )"""


def _statement(of_tenant: str, is_visible: str, without_tenant: str) -> str:
    parts = {"newest": _NEWEST, "max_live": MAX_LIVE, "of_tenant": of_tenant, "is_visible": is_visible}
    return _VERSION.format(without_tenant=without_tenant.format(**parts), **parts)


_OF_TENANTS = _statement("t.id = ANY (%(tenants)s)", "tenant_id = ANY (%(tenants)s)", "")
_OF_ALL = _statement("true", "true", _WITHOUT_TENANT)


@dataclass(frozen=True, slots=True)
class Version:
    """An empty part was never seen. `since`: the first message of the open transcript, or "0". `told`: how many
    notifications are open, and the newest."""

    inbox: str = ""
    open: str = ""
    since: str = ""
    told: str = "-"

    @property
    def etag(self) -> str:
        return f'"{self.inbox}.{self.open}.{self.since}.{self.told}"'

    @classmethod
    def parse(cls, etag: str) -> "Version":
        found = _ETAG.fullmatch(etag)
        return cls(*found.groups()) if found else cls()


def current(scope: Scope, user_id: int, conversation_id: int | None = None, since: str = "") -> Version:
    """The version of the list, of a conversation from the message `since` on, and of the user's notifications. A
    conversation that isn't in the scope has no messages."""
    values: dict[str, Any] = {
        "tenants": list(scope.tenants),
        "user": user_id,
        "open": conversation_id,
        "since": int(since or 0),
    }
    with within(scope), connection.cursor() as cursor:
        cursor.execute(_OF_ALL if scope.everyone else _OF_TENANTS, values)
        inbox, opened, told = cursor.fetchone()
    return Version(inbox, opened, since, told)
