"""Whose delivery is this? The signature tells which app sent it, the phone_number_id which business it is for."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from runtime.clock import ago
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

from .signature import is_valid

# The account's page shows when Meta last delivered; to the minute, so that not every delivery writes it.
_UNSEEN = Q(last_delivery_at__isnull=True) | Q(last_delivery_at__lt=ago(60))


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose secret signed a delivery: the installation's app (no accounts), or the app of these accounts."""

    accounts: frozenset[int] = frozenset()
    # A replay from the quarantine was checked when it came.
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where the rows of a delivery belong; `refusal` says why they belong nowhere."""

    tenant_id: int | None = None
    refusal: str = ""


def authenticate(body: bytes, header: str | None) -> Signer | None:
    """Who signed these bytes; None: nobody we know, refuse it. Without any secret (DEBUG only) all is accepted."""
    if is_valid(body, header, settings.WHATSAPP_APP_SECRETS):
        return Signer()
    if settings.MULTITENANT_ENABLED and header:
        own = WhatsAppAccount.objects.filter(is_active=True).exclude(app_secret="").only("app_secret")
        if accounts := frozenset(account.pk for account in own if is_valid(body, header, [account.app_secret])):
            return Signer(accounts)
    return None if settings.WHATSAPP_APP_SECRETS else Signer()


def routes(phone_number_ids: Iterable[str], signer: Signer) -> dict[str, Route]:
    """The route of each of these numbers for a delivery of this signer: one query."""
    wanted = set(phone_number_ids)
    if not settings.MULTITENANT_ENABLED:
        return dict.fromkeys(wanted, Route(Tenant.objects.single().pk))
    accounts = WhatsAppAccount.objects.filter(phone_number_id__in=wanted, is_active=True)
    # Whether there is a secret, without decrypting it.
    marked = accounts.annotate(own_app=~Q(app_secret=""), unseen=_UNSEEN)
    known: dict[str, Route] = {}
    unseen = []
    for number, pk, tenant_id, own_app, is_unseen in marked.values_list(
        "phone_number_id", "pk", "tenant_id", "own_app", "unseen"
    ):
        known[number] = _route(signer, pk, tenant_id, own_app)
        if is_unseen and not known[number].refusal:
            unseen.append(pk)
    if unseen:
        WhatsAppAccount.objects.filter(pk__in=unseen).update(last_delivery_at=Now())
    return {number: known.get(number, Route(refusal="unknown phone_number_id")) for number in wanted}


def _route(signer: Signer, account_id: int, tenant_id: int, own_app: bool) -> Route:
    """A number with an app secret of its own takes only what that app signed, and nothing else does."""
    if signer.trusted or (account_id in signer.accounts if own_app else not signer.accounts):
        return Route(tenant_id)
    return Route(refusal="signed by another app")
