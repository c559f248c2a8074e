"""The life of a delivery by email or push: attempted, settled, retried, given up.

If a process dies between an attempt and its record, the claim expires and it's attempted again. That's the only way in
which anything is sent twice: neither mail servers nor push services can be asked whether they have it. Mail programs
and browsers then replace the first with the second, as they have the same ID or tag.
"""

import asyncio
import logging
import smtplib
from dataclasses import dataclass, replace

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from runtime.backlog import unlocked
from runtime.clock import from_now
from runtime.database import database_sync_to_async
from runtime.untrusted_json import one_line
from webhooks import wire

from . import audience, messages, push, telling
from .choices import Channel, State
from .models import NotificationDelivery, PushSubscription

logger = logging.getLogger(__name__)

# Seconds to wait after the first, second, … attempt: half a day in total.
WAITS = (15, 60, 300, 900, 1800, 3600, 7200, 14_400, 14_400)
GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class PushRequest:
    device_id: int
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claimed delivery, ready to be sent. `number` is the fence: a later attempt has a higher one."""

    delivery_id: int
    number: int
    parcel: EmailMessage | PushRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    error: str = ""  # empty: it was accepted
    is_final: bool = True
    is_gone: bool = False  # the device no longer exists


async def deliver(delivery_id: int) -> None:
    """Attempt a delivery that was just claimed."""
    attempt = await database_sync_to_async(prepare)(delivery_id)
    if attempt is None:
        return
    outcome = await send(attempt.parcel)
    if outcome.error:
        logger.warning("notification %s, attempt %s: %s", delivery_id, attempt.number, outcome.error)
    await database_sync_to_async(settle)(attempt, outcome)


def prepare(delivery_id: int) -> Attempt | None:
    """What to send. None if it's no longer wanted or can't be sent; the row then says why."""
    rows = NotificationDelivery.objects.select_related("incident", "user", "tenant")
    delivery = rows.filter(pk=delivery_id, state=State.WAITING).first()
    if delivery is None:
        return None
    if (delivery.incident and delivery.incident.closed_at) or not audience.may_still_be_told(
        delivery.tenant_id, delivery.user_id
    ):
        NotificationDelivery.objects.filter(pk=delivery_id, state=State.WAITING).update(state=State.CANCELLED)
        return None
    if delivery.channel == Channel.EMAIL:
        problem = email_problem(delivery.user)
        if not problem:
            return Attempt(delivery.pk, delivery.attempts, messages.email_of(delivery))
    else:
        device = PushSubscription.objects.filter(pk=int(delivery.target or 0), user=delivery.user_id).first()
        if device:
            body, headers = push.request_for(device, messages.message_of(delivery).as_json())
            return Attempt(delivery.pk, delivery.attempts, PushRequest(device.pk, device.endpoint, body, headers))
        problem = "This device no longer accepts notifications."
    _fail(Q(pk=delivery_id), problem)
    return None


def email_problem(user: User) -> str:
    """Why this person can't get emails; "" if they can."""
    if not settings.EMAIL_URL:
        return "Email isn't set up on this installation: EMAIL_URL is empty."
    return "" if user.email else f"{user} has no confirmed email address."


def try_out(user: User, tenant_id: int, channel: Channel, target: str) -> str:
    """Send a test now. Returns what went wrong; "" if it was accepted."""
    # Claimed from the start, so that no worker sends it as well.
    delivery = NotificationDelivery.objects.create(
        tenant_id=tenant_id,
        user=user,
        channel=channel,
        target=target,
        attempts=1,
        next_attempt_at=from_now(telling.LEASE_SECONDS),
    )
    if (attempt := prepare(delivery.pk)) is not None:
        settle(attempt, replace(async_to_sync(send)(attempt.parcel), is_final=True))
    delivery.refresh_from_db()
    return delivery.error


async def send(parcel: EmailMessage | PushRequest) -> Outcome:
    """One attempt. Never raises, whatever the other side does."""
    if isinstance(parcel, EmailMessage):
        return await asyncio.to_thread(_send_email, parcel)
    answer = await wire.post(parcel.url, parcel.body, parcel.headers)
    if answer.is_good:
        return Outcome()
    if answer.code in GONE:
        return Outcome("This device no longer accepts notifications.", is_gone=True)
    error = f"The push service answered {answer.code}: {answer.error}" if answer.code else answer.error
    # Throttled, or broken; another request would fare the same if it's the request's fault.
    return Outcome(error, is_final=answer.code is not None and answer.code < 500 and answer.code not in (408, 425, 429))


def _send_email(email: EmailMessage) -> Outcome:
    try:
        email.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        return Outcome(f"The mail server refused the address: {code} {_said(words)}", is_final=code >= 500)
    except smtplib.SMTPResponseException as error:
        return Outcome(f"The mail server answered {error.smtp_code}: {_said(error.smtp_error)}", is_final=False)
    except ValueError as error:  # headers or addresses that can't be written
        return Outcome(f"The email can't be written: {one_line(str(error), 200)}")
    except OSError as error:
        return Outcome(f"No connection to the mail server: {one_line(str(error), 200)}", is_final=False)
    return Outcome()


def _said(words: bytes | str) -> str:
    return one_line(words.decode(errors="replace") if isinstance(words, bytes) else words, 200)


def settle(attempt: Attempt, outcome: Outcome) -> None:
    """Record the outcome. Nothing is recorded if a later attempt has begun."""
    mine = Q(pk=attempt.delivery_id, attempts=attempt.number)
    with transaction.atomic():
        if isinstance(attempt.parcel, PushRequest) and outcome.is_gone:
            PushSubscription.objects.filter(pk=attempt.parcel.device_id).delete()
        if not outcome.error:
            waiting = NotificationDelivery.objects.filter(mine, state__in=[State.WAITING, State.CANCELLED])
            if unlocked(waiting).update(state=State.SENT, sent_at=Now(), error=""):
                NotificationDelivery.objects.filter(digest=attempt.delivery_id).update(state=State.SENT, sent_at=Now())
        elif outcome.is_final or attempt.number > len(WAITS):
            _fail(mine, outcome.error)
        else:
            wait = from_now(WAITS[attempt.number - 1] * settings.RETRY_TIME_SCALE)
            waiting = NotificationDelivery.objects.filter(mine, state=State.WAITING)
            unlocked(waiting).update(next_attempt_at=wait, error=outcome.error)


def _fail(which: Q, error: str) -> None:
    with transaction.atomic():
        failing = unlocked(NotificationDelivery.objects.filter(which, state=State.WAITING))
        for pk in list(failing.values_list("pk", flat=True)):
            NotificationDelivery.objects.filter(Q(pk=pk) | Q(digest=pk)).update(state=State.FAILED, error=error)
