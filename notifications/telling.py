"""Telling the next in line of open incidents. Safe to run at any time, in several processes."""

import datetime as dt
import itertools
from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from runtime.backlog import Backlog
from runtime.jobs import BATCH

from . import audience
from .audience import Recipient
from .choices import ESCALATING, Channel, State
from .models import NotificationDelivery, NotificationIncident, NotificationSettings

LEASE_SECONDS = 90  # how long a claim of a delivery holds: beyond what a mail server or a push service may need

BACKLOG = Backlog(
    task="notifications.tasks.deliver",
    table="notification_deliveries",
    waiting="state = 'waiting' AND channel IN ('push', 'email')",
    group="tenant_id",
    fence="attempts",
    lease=lambda: LEASE_SECONDS,
    at_once=8,
)


def tell_due() -> int:
    """Tell the next in line of each incident whose time has come. Returns the number of incidents."""
    with transaction.atomic():
        waiting = NotificationIncident.objects.filter(closed_at=None, due_at__lte=Now()).order_by("due_at")
        due = list(waiting.select_for_update(skip_locked=True, of=("self",)).annotate(now=Now())[:BATCH])
        if not due:
            return 0
        tenants = {incident.tenant_id for incident in due}
        lines = audience.lines_of(tenants)
        chosen = dict(NotificationSettings.objects.filter(tenant__in=tenants).values_list("tenant", "escalate_minutes"))
        usual = NotificationSettings().escalate_minutes
        deliveries = [
            delivery
            for incident in due
            for delivery in _tell_next(
                incident,
                incident.now,
                audience.eligible(lines.get(incident.tenant_id, []), incident.kind, incident.user_id),
                dt.timedelta(minutes=chosen.get(incident.tenant_id, usual)),
            )
        ]
        NotificationIncident.objects.bulk_update(due, ["position", "due_at"])
        NotificationDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
        BACKLOG.wake(sum(each.channel in (Channel.PUSH, Channel.EMAIL) for each in deliveries))
    return len(due)


def _tell_next(
    incident: NotificationIncident, now: dt.datetime, line: Sequence[Recipient], wait: dt.timedelta
) -> list[NotificationDelivery]:
    """Move the incident on, and return whom to tell now: the next in line, or everyone of a kind that doesn't escalate.

    If all of them have quiet hours, those after them are told at once.
    """
    told: list[NotificationDelivery] = []
    left = [each for each in line if incident.position is None or each.position > incident.position]
    steps = [list(group) for _, group in itertools.groupby(left, key=lambda each: each.position)]
    if incident.kind not in ESCALATING and left:
        steps = [left]
    incident.due_at = None
    while steps:
        step = steps.pop(0)
        incident.position = step[-1].position
        told += [delivery for each in step for delivery in _deliveries(incident, each, now)]
        if steps and any(_is_reached_now(each, incident.kind, now) for each in step):
            incident.due_at = now + wait
            break
    return told


def _is_reached_now(recipient: Recipient, kind: str, now: dt.datetime) -> bool:
    ways = {channel for channel, _ in recipient.channels(kind)}
    return recipient.quiet_until(now) is None and ways != {Channel.DIGEST}


def _deliveries(incident: NotificationIncident, recipient: Recipient, now: dt.datetime) -> list[NotificationDelivery]:
    times = {Channel.PAGE: now, Channel.DIGEST: recipient.next_digest(now)}
    return [
        NotificationDelivery(
            tenant_id=incident.tenant_id,
            incident=incident,
            user=recipient.user,
            channel=channel,
            target=target,
            next_attempt_at=times.get(channel) or recipient.quiet_until(now) or now,
        )
        for channel, target in recipient.channels(incident.kind)
    ]


def collect_digests() -> int:
    """Make one email of what has been collected for each person whose time has come. Returns the number of emails."""
    with transaction.atomic():
        collected = NotificationDelivery.objects.filter(channel=Channel.DIGEST, state=State.WAITING, digest=None)
        due = collected.filter(next_attempt_at__lte=Now()).order_by("user", "tenant", "pk")
        rows = list(due.select_for_update(skip_locked=True, of=("self",))[:BATCH])
        emails = {
            key: NotificationDelivery(user_id=key[0], tenant_id=key[1], channel=Channel.EMAIL)
            for key in dict.fromkeys((row.user_id, row.tenant_id) for row in rows)
        }
        NotificationDelivery.objects.bulk_create(emails.values())
        for row in rows:
            row.digest = emails[row.user_id, row.tenant_id]
        NotificationDelivery.objects.bulk_update(rows, ["digest"])
        BACKLOG.wake(len(emails))
    return len(emails)
