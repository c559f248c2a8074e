"""What is broken: a number that can't send, a model's key that is refused, a webhook that was switched off.

Each is one cause, however many conversations it holds up: owners and operators see one banner and get one notification.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import Count
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from assistant.model import retries
from assistant.model.client import usable_key
from assistant.model.errors import RULES, ModelFailed
from assistant.models import Assistant, Turn
from assistant.turns.resuming import NO_KEY
from conversations.desk import extensions
from conversations.models import ConversationMessage, Pause, Status
from notifications import incidents
from notifications.choices import Kind
from notifications.incidents import Incident
from notifications.models import NotificationIncident
from tenants.access import OPERATORS, OWNERS, has_role, is_installation_admin, tenants_of
from tenants.models import Tenant
from tenants.users import user_of
from webhooks.models import WebhookEndpoint
from whatsapp.graph.access import SendingAccess, sending_access
from whatsapp.models import WhatsAppAccount

MODEL, NUMBER = "model:", "number:"
TITLES = {
    "quota": "The assistant is off: the model's account has no credit left",
    "unauthorized": "The assistant is off: the model's service rejected the API key",
    "forbidden": "The assistant is off: the model's service doesn't allow this API key",
    "no_key": "The assistant is off: there's no valid API key for the model",
}


@dataclass(frozen=True, slots=True)
class Cause:
    tenant_id: int
    subject: str
    title: str
    reason: str
    remedy: str = ""
    page: str = ""  # where owners can fix it
    resume: str = ""  # where those who may can resume it
    is_installations: bool = False  # only a superuser can fix it

    @property
    def text(self) -> str:
        return " ".join(filter(None, (self.reason, self.remedy)))


# Almost always, nothing is broken, and this is all that it costs to know.
_ANY = """
SELECT EXISTS (SELECT FROM pauses) OR EXISTS (SELECT FROM turns WHERE waits_for <> '')
    OR EXISTS (SELECT FROM conversation_messages WHERE status = 'queued' AND error_detail <> '')
    OR EXISTS (SELECT FROM webhook_endpoints WHERE disabled_reason <> '')
"""


def causes(tenant_ids: Collection[int] | None = None) -> list[Cause]:
    """What is broken in these businesses; None for all."""
    with connection.cursor() as cursor:
        cursor.execute(_ANY)
        if not cursor.fetchone()[0]:
            return []
    found = Tenant.objects.filter(is_active=True)
    tenants = {tenant.pk: tenant for tenant in (found if tenant_ids is None else found.filter(pk__in=tenant_ids))}
    return [*_numbers(tenants), *_models(tenants), *_webhooks(tenants)]


def _numbers(tenants: dict[int, Tenant]) -> Iterator[Cause]:
    tried = ConversationMessage.objects.filter(status=Status.QUEUED, tenant__in=tenants).exclude(error_detail="")
    pairs = set(tried.values_list("tenant_id", "conversation__phone_number_id").distinct())
    paused = Pause.objects.filter(scope__startswith=NUMBER, until=None).values_list("scope", flat=True)
    numbers = [scope.removeprefix(NUMBER) for scope in paused]
    active = WhatsAppAccount.objects.filter(
        tenant__in=tenants, is_active=True, phone_number_id__in={*numbers, *(number for _, number in pairs)}
    )
    accounts = {
        (account.tenant_id, account.phone_number_id): account
        for account in active.defer("access_token", "app_secret")
        if account.phone_number_id in numbers or (account.tenant_id, account.phone_number_id) in pairs
    }
    pairs |= set(accounts)
    if not settings.MULTITENANT_ENABLED:
        pairs |= {(tenant.pk, number) for tenant in tenants.values() if tenant.is_single for number in numbers}
    of_number: defaultdict[str, set[int]] = defaultdict(set)
    for tenant_id, number in pairs:
        of_number[number].add(tenant_id or 0)
    pause_ids = dict(Pause.objects.filter(scope__in=[NUMBER + each for each in of_number]).values_list("scope", "pk"))
    for access in sending_access(sorted(of_number)):
        reason = _why_it_cannot_send(access)
        for tenant_id in sorted(of_number[access.phone_number_id]) if reason else ():
            account = accounts.get((tenant_id, access.phone_number_id))
            pause = pause_ids.get(NUMBER + access.phone_number_id)
            yield Cause(
                tenant_id,
                f"{NUMBER}{access.phone_number_id}",
                f"Messages from {account or access.phone_number_id} aren't being sent",
                reason,
                page=reverse("admin:whatsapp_whatsappaccount_change", args=[account.pk]) if account else "",
                resume=""
                if pause is None
                else reverse("admin:whatsapp_resume", args=[account.pk])
                if account
                else reverse("admin:conversations_pause_resume", args=[pause]),
                is_installations=account is None,
            )


def _why_it_cannot_send(access: SendingAccess) -> str:
    if access.problem:
        return f"{access.problem[0].upper()}{access.problem[1:]}."
    hold = access.on_hold()
    return hold.reason.replace("..", ".") if hold else ""


def _models(tenants: dict[int, Tenant]) -> Iterator[Cause]:
    pauses = {pause.scope: pause for pause in Pause.objects.filter(scope__startswith=MODEL)}
    waiting = Turn.objects.filter(tenant__in=tenants, waits_for__startswith=NO_KEY)
    without_key = set(waiting.values_list("tenant", flat=True).distinct())
    if not pauses and not without_key:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, to_jsonb(a) FROM assistants a WHERE tenant_id = ANY (%s)", [list(tenants)])
        rows: dict[int, str] = dict(cursor.fetchall())
    for tenant_id in tenants:
        try:
            assistant = Assistant.from_json(rows.get(tenant_id), tenant_id)
        except ImproperlyConfigured:  # its key can't be decrypted, which its next turn reports
            continue
        pause = pauses.get(retries.scope(assistant))
        kind, reason = "", ""
        if pause and pause.holds(assistant.key.strip()):
            kind, _, reason = pause.reason.partition(": ")
        elif tenant_id in without_key:
            kind, reason = _missing_key(assistant)
        if not kind:
            continue
        page = reverse("admin:assistant_assistant_change", args=[assistant.pk]) if assistant.pk else ""
        resume = ""
        if pause and assistant.pk:
            resume = reverse("admin:assistant_resume", args=[assistant.pk])
        elif pause:
            resume = reverse("admin:conversations_pause_resume", args=[pause.pk])
        rule = RULES.get(kind)
        yield Cause(
            tenant_id,
            pause.scope if pause else f"{MODEL}no key",
            TITLES.get(kind, "The assistant is off: the model's service can't be used"),
            f"{reason.rstrip('.')}." if reason else "",
            rule.advice if rule else "",
            page,
            resume,
            is_installations=not assistant.api_key,
        )


def _missing_key(assistant: Assistant) -> tuple[str, str]:
    try:
        usable_key(assistant)
    except ModelFailed as failure:
        return failure.kind, failure.detail
    return "", ""


def _webhooks(tenants: dict[int, Tenant]) -> Iterator[Cause]:
    for endpoint in WebhookEndpoint.objects.filter(tenant__in=tenants, is_active=False).exclude(disabled_reason=""):
        yield Cause(
            endpoint.tenant_id,
            f"webhook:{endpoint.pk}",
            f"The webhook to {endpoint.url} was switched off",
            endpoint.disabled_reason,
            "Repair its receiver, then switch it on again.",
            reverse("admin:webhooks_webhookendpoint_change", args=[endpoint.pk]),
        )


def held_messages(broken: Collection[Cause]) -> dict[Cause, int]:
    """How many messages wait because of each cause."""
    tenant_ids = {cause.tenant_id for cause in broken if cause.subject.startswith(NUMBER)}
    if not tenant_ids:
        return {}
    queued = ConversationMessage.objects.filter(tenant__in=tenant_ids, status=Status.QUEUED)
    counted = queued.values_list("tenant_id", "conversation__phone_number_id").annotate(count=Count("pk"))
    counts = {(tenant_id, f"{NUMBER}{number}"): count for tenant_id, number, count in counted}
    return {cause: counts.get((cause.tenant_id, cause.subject), 0) for cause in broken}


def causes_for(request: HttpRequest) -> list[Cause]:
    """What owners and operators should know of. A cause that several businesses share is shown once."""
    user = user_of(request)
    everything = is_installation_admin(user)
    mine = causes(None if everything else tenants_of(user, OPERATORS))
    return list({cause.subject: cause for cause in mine}.values())


@extensions.register(extensions.banners)
def banners(request: HttpRequest) -> str:
    broken = causes_for(request)
    return render(request, broken, held_messages(broken))


def render(request: HttpRequest, broken: Collection[Cause], held: Mapping[Cause, int]) -> str:
    """One banner for each cause, with the remedy, and the button for those who may press it."""
    user = user_of(request)
    rows = []
    for cause in broken:
        owns = has_role(user, OWNERS, cause.tenant_id)
        may_fix = owns and (not cause.is_installations or is_installation_admin(user))
        rows.append({"cause": cause, "may_fix": may_fix, "held": held.get(cause, 0)})
    return render_to_string("operations/causes.html", {"rows": rows}, request) if rows else ""


def notify() -> int:
    """Notify those who should know of new causes, and close what is over. A recurring function."""
    broken = {f"{cause.subject} of {cause.tenant_id}": cause for cause in causes()}
    known = NotificationIncident.objects.filter(kind=Kind.ACCOUNT, closed_at=None)
    subjects = set(known.values_list("subject", flat=True))
    incidents.open_all(
        Incident(cause.tenant_id, Kind.ACCOUNT, subject, cause.title, cause.text, cause.page or reverse("admin:index"))
        for subject, cause in broken.items()
        if subject not in subjects
    )
    return incidents.close([subject for subject in subjects if subject not in broken], [Kind.ACCOUNT])
