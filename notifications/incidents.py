"""Opening and closing incidents, in the transaction of what happened."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from django.db import connection, transaction

from runtime import jobs
from runtime.untrusted_json import one_line

from .choices import Kind
from .models import LONGEST_PATH, LONGEST_TEXT, LONGEST_TITLE, NotificationIncident, NotificationSettings

TELL_TASK = "notifications.tasks.tell"


@dataclass(frozen=True, slots=True)
class Incident:
    """What has happened. While one of this kind is open about the same subject, nobody is told again."""

    tenant_id: int | None
    kind: Kind
    subject: str
    title: str
    text: str = ""
    path: str = ""
    user_id: int | None = None  # if it concerns only this person
    wait_seconds: float = 0  # in which it may still close before anyone is told


# UNANSWERED waits as long as the business says.
_OPEN = """
INSERT INTO notification_incidents AS i (tenant_id, kind, subject, user_id, title, text, path, due_at)
SELECT n.tenant_id, n.kind, n.subject, n.user_id, n.title, n.text, n.path, statement_timestamp() + CASE
    WHEN n.kind = 'unanswered' THEN COALESCE(s.unanswered_minutes, %(unanswered_minutes)s) * interval '1 minute'
    ELSE n.wait_seconds * interval '1 second' END
FROM jsonb_to_recordset(%(rows)s) AS n(tenant_id bigint, kind text, subject text, user_id bigint, title text, text text,
    path text, wait_seconds float)
JOIN tenants t ON t.id = n.tenant_id AND t.is_active
LEFT JOIN notification_settings s ON s.tenant_id = n.tenant_id
ORDER BY n.subject, n.kind, n.tenant_id
ON CONFLICT (subject, kind, tenant_id) WHERE closed_at IS NULL DO UPDATE SET count = i.count + 1
RETURNING xmax = 0 AND due_at <= statement_timestamp()
"""


def open_all(happened: Iterable[Incident]) -> None:
    """Record these incidents in one statement, plus one for the job if someone has to be notified now."""
    unique = {(each.subject, each.kind, each.tenant_id): each for each in happened if each.tenant_id is not None}
    if not unique:
        return
    rows = [asdict(_bounded(each)) for each in unique.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN, {"rows": json.dumps(rows), "unanswered_minutes": NotificationSettings().unanswered_minutes}
        )
        is_due = any(due for (due,) in cursor.fetchall())
    if is_due:
        jobs.defer(TELL_TASK, {})


def _bounded(incident: Incident) -> Incident:
    return replace(
        incident,
        title=one_line(incident.title, LONGEST_TITLE),
        text=one_line(incident.text, LONGEST_TEXT),
        path=incident.path[:LONGEST_PATH],
    )


_CLOSE = """
UPDATE notification_incidents SET closed_at = statement_timestamp(), due_at = NULL
WHERE closed_at IS NULL AND subject = ANY (%s) AND kind = ANY (%s) RETURNING id
"""
# What was collected for a daily email still says what happened.
_CANCEL = """
UPDATE notification_deliveries SET is_open = false,
    state = CASE WHEN state = 'waiting' AND channel <> 'digest' THEN 'cancelled' ELSE state END
WHERE incident_id = ANY (%s)
"""


def close(subjects: Sequence[str], kinds: Iterable[Kind]) -> int:
    """Someone has reacted, or the matter is settled: nobody else is told. Returns how many incidents were open."""
    kinds = list(kinds)
    open_ones = NotificationIncident.objects.filter(subject__in=subjects, kind__in=kinds, closed_at=None)
    if not subjects or not open_ones.exists():  # as almost always
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLOSE, [list(subjects), kinds])
        closed = [pk for (pk,) in cursor.fetchall()]
        if closed:
            # A statement of its own: while the first waited for a lock, someone may have been told.
            cursor.execute(_CANCEL, [closed])
    return len(closed)


def forget(subjects: Sequence[str]) -> None:
    """Delete what the log says about these subjects."""
    NotificationIncident.objects.filter(subject__in=subjects).delete()
