"""The texts of notifications and emails."""

import datetime as dt
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from runtime.untrusted_json import one_line

from . import audience
from .models import NotificationDelivery, NotificationIncident

MOST_LISTED = 50  # incidents of a daily email
LONGEST_SUBJECT = 250


@dataclass(frozen=True, slots=True)
class Message:
    """`tag`: notifications of the same incident replace each other on screen."""

    title: str
    text: str
    path: str
    tag: str

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}{self.path}"

    def as_json(self) -> dict[str, str]:
        return {"title": self.title, "text": self.text, "path": self.path, "tag": self.tag}


def message_of(delivery: NotificationDelivery) -> Message:
    if (incident := delivery.incident) is not None:
        return Message(incident.title, incident.text, incident.path, f"incident-{incident.pk}")
    path = reverse("admin:notifications_mine")
    return Message("Test", f"Notifications reach you here ({delivery.get_channel_display()}).", path, "test")


def email_of(delivery: NotificationDelivery) -> EmailMessage:
    """Mail programs show an email only once, even if it had to be sent twice: its ID stays the same."""
    collected = list(NotificationDelivery.objects.filter(digest=delivery).select_related("incident").order_by("pk"))
    if collected:
        subject, body = _digest([each.incident for each in collected if each.incident], audience.zone_of(delivery))
    else:
        message = message_of(delivery)
        subject, body = message.title, "\n\n".join(filter(None, (message.text, message.url)))
    mine = f"{settings.PUBLIC_URL}{reverse('admin:notifications_mine')}"
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return EmailMessage(
        one_line(f"[{delivery.tenant}] {subject}", LONGEST_SUBJECT),
        f"{body}\n\n--\nChange what you're notified of: {mine}\n",
        to=[delivery.user.email],
        headers={
            "Message-ID": f"<notification-{delivery.pk}-{int(delivery.created_at.timestamp())}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _digest(incidents: list[NotificationIncident], zone: dt.tzinfo) -> tuple[str, str]:
    lines = []
    for incident in incidents[:MOST_LISTED]:
        times = f" ({incident.count} times)" if incident.count > 1 else ""
        over = ", no longer open" if incident.closed_at else ""
        opened = f"{incident.opened_at.astimezone(zone):%Y-%m-%d %H:%M}"
        lines.append(f"{opened}: {incident.title}{times}{over}\n{incident.text}".strip())
        lines.append(f"{settings.PUBLIC_URL}{incident.path}\n")
    if more := len(incidents) - MOST_LISTED:
        lines += [f"And {more} more."] if more > 0 else []
    count = len(incidents)
    return f"{count} notification{'' if count == 1 else 's'}", "\n".join(lines)
