"""What a number needs for sending, and what holds it back: read in one crossing into the database for each message."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from conversations.outbox.pauses import Pause, fingerprint
from runtime.clock import from_now
from whatsapp.models import WhatsAppAccount

from .errors import Rule


@dataclass(frozen=True, slots=True)
class SendingAccess:
    """One number's way to Meta. `problem`: why it has none, in words for a person."""

    phone_number_id: str
    token: str = ""
    waba_id: str = ""
    app: str = ""  # the hash of the app's secret, for an account of another Meta app than the installation's
    problem: str = ""
    pauses: tuple[Pause, ...] = ()  # all rows of its scopes, those that are over too
    read_at: dt.datetime = field(default=dt.datetime.max)

    def scope(self, kind: str) -> str:
        """The pause's name. Without a WABA's id its throttle is this number's."""
        if kind == "app":
            return f"app:{self.app}" if self.app else "app"
        return f"waba:{self.waba_id}" if kind == "waba" and self.waba_id else f"number:{self.phone_number_id}"

    def pause(self, scope: str) -> Pause | None:
        return next((pause for pause in self.pauses if pause.scope == scope), None)

    def on_hold(self) -> Pause | None:
        """The pause without an end, if this token is the one it is about."""
        held = (pause for pause in self.pauses if pause.until is None and pause.holds(self.token))
        return next(held, None)

    def seconds_to_wait(self) -> float:
        """Until the last of its pauses is over."""
        ends = [pause.until for pause in self.pauses if pause.until is not None and pause.holds(self.token)]
        return max(0.0, max(((end - self.read_at).total_seconds() for end in ends), default=0.0))


# Said twice for each reply: Django would take longer to write them than PostgreSQL to answer.
_ACCOUNT = "SELECT * FROM whatsapp_accounts WHERE phone_number_id = %s"
_PAUSES = "SELECT pauses.*, statement_timestamp() AS now FROM pauses WHERE scope = ANY (%s)"


def sending_access(phone_number_id: str) -> SendingAccess:
    """The way out of this number, in two queries."""
    way = _account(phone_number_id) if settings.MULTITENANT_ENABLED else _single(phone_number_id)
    scopes = {way.scope(kind) for kind in ("app", "waba", "number")}
    pauses: list[Any] = list(Pause.objects.raw(_PAUSES, [sorted(scopes)]))
    # By the database's clock, which set the ends.
    read_at = pauses[0].now if pauses else dt.datetime.max
    return SendingAccess(
        phone_number_id, way.token, way.waba_id, way.app, way.problem or _flaw(way.token), tuple(pauses), read_at
    )


def _account(phone_number_id: str) -> SendingAccess:
    account = next(iter(WhatsAppAccount.objects.raw(_ACCOUNT, [phone_number_id])), None)
    if account is None:
        return SendingAccess(phone_number_id, problem=f"no WhatsApp account has the phone_number_id {phone_number_id}")
    if not account.is_active:
        return SendingAccess(phone_number_id, problem=f"the WhatsApp account {account} is switched off")
    return SendingAccess(
        phone_number_id,
        account.token.strip(),
        account.waba_id,
        fingerprint(account.app_secret),
        "" if account.token.strip() else f"the WhatsApp account {account} has no access token",
    )


def _single(phone_number_id: str) -> SendingAccess:
    token = settings.WHATSAPP_ACCESS_TOKEN.strip()
    return SendingAccess(phone_number_id, token, problem="" if token else "WHATSAPP_ACCESS_TOKEN is not set")


def _flaw(token: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return ""
    return "the access token has characters that no token has; paste it again"


def throttle(way: SendingAccess, rule: Rule, reason: str, code: int | None, asked: float = 0) -> tuple[float, bool]:
    """Pause the rule's scope, longer with each time in a row: (seconds until its end, whether this call did it).

    Many messages are refused at the same time. Each compares the pause with the one it had seen before it was
    sent, so that the first of them raises the step and the others find it raised.
    """
    scope = way.scope(rule.pause or "number")
    seen = way.pause(scope)
    done = seen is not None and bool(
        Pause.objects.filter(pk=seen.pk, since=seen.since).update(**_timed(rule, seen.step + 1, reason, code, asked))
    )
    if not done:
        _, done = Pause.objects.get_or_create(scope=scope, defaults=_timed(rule, 1, reason, code, asked))
    pause: Any = Pause.objects.annotate(now=Now()).get(scope=scope)
    return max(0.0, (pause.until - pause.now).total_seconds()) if pause.until else 0.0, done


def _timed(rule: Rule, step: int, reason: str, code: int | None, asked: float) -> dict[str, Any]:
    seconds = max(rule.pause_seconds[min(step, len(rule.pause_seconds)) - 1], asked)
    return {
        "reason": reason,
        "error_code": code,
        "credential": "",
        "until": from_now(seconds * settings.RETRY_TIME_SCALE),
        "step": step,
        "since": Now(),
    }


def hold(way: SendingAccess, reason: str, code: int | None) -> bool:
    """Send nothing from this number with this token. Whether this call did it, and not one of its neighbours."""
    scope = f"number:{way.phone_number_id}"
    credential = fingerprint(way.token)
    held = {
        "reason": reason,
        "error_code": code,
        "credential": credential,
        "until": None,
        "step": 0,
        "since": Now(),
    }
    others = Pause.objects.filter(scope=scope).exclude(until=None, credential=credential)
    if others.update(**held):
        return True
    return Pause.objects.get_or_create(scope=scope, defaults=held)[1]


def forget(way: SendingAccess) -> None:
    """A message got through: the pauses it had seen are over, and the next one begins with the shortest again."""
    for pause in way.pauses:
        Pause.objects.filter(pk=pause.pk, since=pause.since).delete()
