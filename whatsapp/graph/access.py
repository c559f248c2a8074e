"""What a number needs for sending, and the pauses that hold it back."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from conversations.models import Conversation, Status
from conversations.outbox.pauses import Pause, fingerprint
from runtime.clock import from_now
from runtime.row_security.scope import all_businesses
from whatsapp.models import WhatsAppAccount

from .errors import Rule


@dataclass(frozen=True, slots=True)
class SendingAccess:
    """How one number reaches Meta. `problem`: why it can't, as text."""

    phone_number_id: str
    token: str = ""
    waba_id: str = ""
    tenant_id: int | None = None  # the business whose number it is; None: the only one
    app: str = ""  # the hash of the app's secret, if the account belongs to another Meta app
    problem: str = ""
    pauses: tuple[Pause, ...] = ()  # of its scopes, including expired ones: their step determines the next wait
    read_at: dt.datetime = field(default=dt.datetime.max)

    def scope(self, kind: str) -> str:
        """The pause's name. Without a WABA ID, its throttle applies to this number."""
        if kind == "app":
            return f"app:{self.app}" if self.app else "app"
        return f"waba:{self.waba_id}" if kind == "waba" and self.waba_id else f"number:{self.phone_number_id}"

    def is_of(self, tenant_id: int | None) -> bool:
        """Whether this business may use it. A number's earlier owner keeps the conversations, not the number."""
        return self.tenant_id in (None, tenant_id)

    @property
    def scopes(self) -> set[str]:
        return {self.scope(kind) for kind in ("app", "waba", "number")}

    def pause(self, scope: str) -> Pause | None:
        return next((pause for pause in self.pauses if pause.scope == scope), None)

    def on_hold(self) -> Pause | None:
        """The pause without an end, if it applies to this token."""
        held = (pause for pause in self.pauses if pause.until is None and pause.holds(self.token))
        return next(held, None)

    def seconds_to_wait(self) -> float:
        """When the last of its pauses ends."""
        ends = [pause.until for pause in self.pauses if pause.until is not None and pause.holds(self.token)]
        return max(0.0, max(((end - self.read_at).total_seconds() for end in ends), default=0.0))


@all_businesses()  # a conversation's number may have gone to another business
def sending_access(phone_number_ids: Collection[str]) -> list[SendingAccess]:
    """The access of each of these numbers, in the same order, with two queries in all."""
    known = _accounts(set(phone_number_ids)) if settings.MULTITENANT_ENABLED else {}
    found = {number: known.get(number) or _single(number) for number in phone_number_ids}
    scopes = {scope for access in found.values() for scope in access.scopes}
    pauses = list(Pause.objects.filter(scope__in=scopes).annotate(now=Now()))
    # Compare by the database's clock, which set the ends.
    read_at = pauses[0].now if pauses else dt.datetime.max  # type: ignore[attr-defined]
    return [
        replace(access, pauses=tuple(pause for pause in pauses if pause.scope in access.scopes), read_at=read_at)
        for access in (found[number] for number in phone_number_ids)
    ]


def _accounts(phone_number_ids: Collection[str]) -> dict[str, SendingAccess]:
    accounts = WhatsAppAccount.objects.filter(phone_number_id__in=phone_number_ids).order_by("is_active")
    try:
        found = {account.phone_number_id: _of_account(account) for account in accounts}
    except ImproperlyConfigured as error:
        if len(phone_number_ids) > 1:  # one of them has a token that none of our keys decrypts
            return {number: access for one in phone_number_ids for number, access in _accounts([one]).items()}
        found = {number: SendingAccess(number, problem=str(error)) for number in phone_number_ids}
    missing = set(phone_number_ids) - set(found)
    unknown = "no WhatsApp account has the phone number ID {}"
    return {**found, **{number: SendingAccess(number, problem=unknown.format(number)) for number in missing}}


def _of_account(account: WhatsAppAccount) -> SendingAccess:
    number, token = account.phone_number_id, account.token.strip()
    if not account.is_active:
        return SendingAccess(number, problem=f"the WhatsApp account {number} is not active")
    problem = _token_problem(token) if token else f"the WhatsApp account {account} has no access token"
    return SendingAccess(number, token, account.waba_id, account.tenant_id, fingerprint(account.app_secret), problem)


def _single(phone_number_id: str) -> SendingAccess:
    token = settings.WHATSAPP_ACCESS_TOKEN.strip()
    problem = _token_problem(token) if token else "WHATSAPP_ACCESS_TOKEN is not set"
    return SendingAccess(phone_number_id, token, problem=problem)


def _token_problem(token: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return ""
    return "the access token contains invalid characters; paste it again"


def held_numbers() -> dict[str, float | None]:
    """The numbers with queued messages that must not send now, with the seconds until they may; None if someone has to
    act first. One query if nothing is paused.
    """
    if not Pause.objects.active().exclude(scope__startswith="model:").exists():
        return {}
    queued = Conversation.objects.filter(messages__status=Status.QUEUED)
    numbers = list(queued.values_list("phone_number_id", flat=True).distinct())
    held: dict[str, float | None] = {}
    for access in sending_access(numbers):
        if access.on_hold():
            held[access.phone_number_id] = None
        elif seconds := access.seconds_to_wait():
            held[access.phone_number_id] = seconds
    return held


def throttle(access: SendingAccess, rule: Rule, reason: str, code: int | None, asked: float = 0) -> tuple[float, bool]:
    """Pause the rule's scope, longer each time in a row. Returns (seconds until its end, whether this call did it).

    Many messages are refused at the same time. Each compares the pause with the one it saw before it was sent, so only
    the first raises the step.
    """
    scope = access.scope(rule.pause or "number")
    seen = access.pause(scope)
    done = seen is not None and bool(
        Pause.objects.filter(pk=seen.pk, since=seen.since).update(**_timed(rule, seen.step + 1, reason, code, asked))
    )
    if not done:
        _, done = Pause.objects.get_or_create(scope=scope, defaults=_timed(rule, 1, reason, code, asked))
    until, now = Pause.objects.filter(scope=scope).values_list("until", Now()).get()
    return max(0.0, (until - now).total_seconds()) if until else 0.0, done


def _timed(rule: Rule, step: int, reason: str, code: int | None, asked: float) -> dict[str, object]:
    seconds = max(rule.pause_seconds[min(step, len(rule.pause_seconds)) - 1], asked)
    return {
        "reason": reason,
        "error_code": code,
        "credential": "",
        "until": from_now(seconds * settings.RETRY_TIME_SCALE),
        "step": step,
        "since": Now(),
    }


def hold(access: SendingAccess, reason: str, code: int | None) -> bool:
    """Stop sending from this number with this token. Returns whether this call did it, rather than a concurrent one."""
    scope = f"number:{access.phone_number_id}"
    credential = fingerprint(access.token)
    held = {"reason": reason, "error_code": code, "credential": credential, "until": None, "step": 0, "since": Now()}
    others = Pause.objects.filter(scope=scope).exclude(until=None, credential=credential)
    if others.update(**held):
        return True
    return Pause.objects.get_or_create(scope=scope, defaults=held)[1]


def forget(access: SendingAccess) -> None:
    """A message got through: delete the pauses it had seen, so that the next one starts with the shortest wait
    again."""
    for pause in access.pauses:
        Pause.objects.filter(pk=pause.pk, since=pause.since).delete()
