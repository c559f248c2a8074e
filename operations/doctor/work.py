"""Checks of the workers, their queues, and what is known to be broken."""

from collections.abc import Iterator

from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateWorker

from operations import causes
from operations.health import WORKER_SECONDS
from runtime.clock import ago
from whatsapp.graph.access import held_numbers
from whatsapp.models import QuarantinedEvent

from .findings import Finding, error, ok, warning

LATE, VERY_LATE = 60, 600  # seconds

# The time since when the oldest row could have been worked on. Rows that wait for something else don't count.
OLDEST = {
    "turn": "SELECT min(due_at) AS since FROM turns WHERE state = 'collecting'",
    "message": """
        SELECT min(m.next_attempt_at) AS since FROM conversation_messages m
        JOIN conversations c ON c.id = m.conversation_id
        WHERE m.status = 'queued' AND c.phone_number_id <> ALL (%(held)s) AND NOT EXISTS (
            SELECT FROM conversation_messages earlier WHERE earlier.conversation_id = m.conversation_id
            AND earlier.id < m.id AND earlier.status IN ('queued', 'sending'))""",
    "job": "SELECT min(scheduled_at) AS since FROM procrastinate_jobs WHERE status = 'todo'",
    "file": "SELECT min(next_attempt_at) AS since FROM attachments WHERE state IN ('pending', 'reading')",
    "webhook delivery": "SELECT min(next_attempt_at) AS since FROM webhook_deliveries WHERE status = 'waiting'",
    "knowledge source": "SELECT min(next_attempt_at) AS since FROM knowledge_sources WHERE next_attempt_at IS NOT NULL",
    "notification": "SELECT min(next_attempt_at) AS since FROM notification_deliveries"
    " WHERE state = 'waiting' AND channel IN ('push', 'email')",
}


def workers() -> Iterator[Finding]:
    if ProcrastinateWorker.objects.filter(last_heartbeat__gt=ago(WORKER_SECONDS)).exists():
        yield ok("At least one worker is running.")
    else:
        yield error(
            f"No worker has reported within the last {WORKER_SECONDS} s, so nothing is answered or sent.",
            "Start one: python manage.py worker",
        )


def queue_ages(held: list[str]) -> dict[str, int]:
    """How many seconds the oldest row of each queue has been due; 0 if none is. held: paused numbers."""
    ages = {}
    with connection.cursor() as cursor:
        for name, query in OLDEST.items():
            cursor.execute(
                f"SELECT extract(epoch FROM statement_timestamp() - since)::int FROM ({query}) AS oldest",  # noqa: S608
                {"held": held},
            )
            (seconds,) = cursor.fetchone()
            ages[name] = max(0, seconds or 0)
    return ages


def queues() -> Iterator[Finding]:
    late = {name: seconds for name, seconds in queue_ages(list(held_numbers())).items() if seconds > LATE}
    for name, seconds in late.items():
        make = error if seconds > VERY_LATE else warning
        yield make(
            f"The oldest {name} has been due for {_shown(seconds)}.",
            "Check that a worker is running, and its log. If it's just busy, start another one.",
        )
    if not late:
        yield ok("Nothing is overdue.")


def _shown(seconds: int) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def broken() -> Iterator[Finding]:
    """What the admin's banners say: numbers that can't send, models that are paused, webhooks that are off."""
    found = {cause.subject: cause for cause in causes.causes()}
    for cause in found.values():
        text = f"{cause.title}: {cause.reason}" if cause.reason else cause.title
        yield error(text, cause.remedy or "Open the admin's start page. It says what to do and has a button to resume.")
    quarantined = QuarantinedEvent.objects.filter(resolved_at=None).count()
    if quarantined:
        yield warning(
            f"{quarantined} webhook events couldn't be stored.", "Open Quarantined events in the admin, and retry them."
        )
    if not found and not quarantined:
        yield ok("No number or model is paused, no webhook is switched off, and nothing is in quarantine.")
