"""Whose delivery is it? The signature shows which app sent it, the phone number ID which business it's for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from runtime import prepared
from runtime.untrusted_json import as_dict, as_list, as_text
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

from .signature import is_valid
from .types import Item, Rejected, Signer

# The account's page shows when Meta last delivered, to the minute: not every delivery writes it.
_ACCOUNTS = """
SELECT phone_number_id, waba_id, last_delivery_at > statement_timestamp() - interval '1 minute' IS NOT TRUE,
    id, tenant_id, app_secret <> ''
FROM whatsapp_accounts
WHERE is_active AND (
    phone_number_id = ANY (%(numbers)s::text[]) OR (waba_id <> '' AND waba_id = ANY (%(wabas)s::text[])))
"""

# The IDs that an unsigned body names: phone numbers, and WABAs (the IDs of its entries), because account and template
# events have no phone number. All numbers in one delivery belong to one app, so few secrets can apply.
_NAMED_ID = re.compile(rb'"(?:phone_number_id|id)"\s*:\s*"?([0-9A-Za-z_.\-]{1,64})[",\s}]')
MAX_IDS = 100
MAX_ACCOUNTS = 10
MAX_SECRETS = 2


@dataclass(frozen=True, slots=True)
class Route:
    """The tenant that an item belongs to, if any. `error`: why it can't be stored there."""

    tenant_id: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Account:
    id: int
    tenant_id: int
    has_own_app: bool

    def accepts(self, signer: Signer) -> bool:
        """A number with an app secret of its own accepts only what that app signed, and no other number does."""
        return self.id in (signer.accounts or ()) if self.has_own_app else not signer.accounts


def authenticate(body: bytes, header: str | None) -> Signer | None:
    """Who signed these bytes. None if it's no one we know, and the body must be refused. Without any secret (DEBUG
    only), everything is accepted, as signed by nobody.

    What a refusal costs doesn't depend on the number of accounts: only a few secrets are tried, those of the accounts
    that the body names.
    """
    if is_valid(body, header, settings.WHATSAPP_APP_SECRETS):
        return Signer()
    if settings.MULTITENANT_ENABLED and header:
        for secret in islice(_own_secrets(body, MAX_IDS, MAX_ACCOUNTS), MAX_SECRETS):
            if is_valid(body, header, [secret]):
                return Signer(frozenset(_own_secrets(body, None, None)[secret]))
    return None if settings.WHATSAPP_APP_SECRETS else Signer(None)


def _own_secrets(body: bytes, most_ids: int | None, most_accounts: int | None) -> dict[str, list[int]]:
    """The app secrets of the accounts that a body names, with the IDs of these accounts."""
    named = dict.fromkeys(islice((found[1].decode() for found in _NAMED_ID.finditer(body)), most_ids))
    accounts = WhatsAppAccount.objects.filter(is_active=True).exclude(app_secret="").order_by("pk")
    secrets: dict[str, list[int]] = {}
    for account in accounts.filter(Q(phone_number_id__in=named) | Q(waba_id__in=named))[:most_accounts]:
        secrets.setdefault(account.app_secret, []).append(account.pk)
    return secrets


class Router:
    """Finds the tenants of items, in one query for a whole batch of deliveries."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._single = None if settings.MULTITENANT_ENABLED else Tenant.objects.single().pk
        self._by_number: dict[str, _Account] = {}
        self._by_waba: dict[str, list[_Account]] = {}
        self._not_seen_lately: set[int] = set()
        self._load(list(items))

    def route(self, item: Item, signer: Signer) -> Route:
        """Only the owners of an active account see its number's items: an inactive one may not be theirs."""
        if signer.accounts is None and settings.WHATSAPP_APP_SECRETS:
            return Route(error="not signed")
        if self._single is not None:
            return Route(error="signed by another app") if signer.accounts else Route(self._single)
        account = self._by_number.get(item.phone_number_id)
        if account is None and isinstance(item, Rejected):
            return self._route_of_waba(_waba_id(item), signer)
        if account is None:
            return Route(error="unknown phone_number_id")
        if not account.accepts(signer):
            return Route(error="signed by another app")
        return Route(account.tenant_id)

    def note_deliveries(self, items: Iterable[tuple[Item, Route]]) -> None:
        """Record on the accounts of these items that Meta delivered. Call it in a transaction."""
        found = [(self._by_number.get(item.phone_number_id), route) for item, route in items if not route.error]
        seen = {account.id for account, route in found if account and account.tenant_id == route.tenant_id}
        seen &= self._not_seen_lately
        if seen:
            free = WhatsAppAccount.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=seen)
            pks = list(free.values_list("pk", flat=True))
            WhatsAppAccount.objects.filter(pk__in=pks).update(last_delivery_at=Now())

    def _load(self, items: list[Item]) -> None:
        numbers = {item.phone_number_id for item in items}
        wabas = {_waba_id(item) for item in items if isinstance(item, Rejected)} - {""}
        named = {"numbers": list(numbers), "wabas": list(wabas)}
        for number, waba_id, is_unseen, *columns in prepared.execute(_ACCOUNTS, named):
            account = _Account(*columns)
            self._by_number[number] = account
            self._by_waba.setdefault(waba_id, []).append(account)
            if is_unseen:
                self._not_seen_lately.add(account.id)

    def _route_of_waba(self, waba_id: str, signer: Signer) -> Route:
        """Account and template events: they belong to the tenant of the WABA, if there is only one."""
        accounts = self._by_waba.get(waba_id, []) if waba_id else []
        tenants = {account.tenant_id for account in accounts if account.accepts(signer)}
        return Route(tenants.pop()) if len(tenants) == 1 else Route()


def _waba_id(item: Rejected) -> str:
    entries = as_list(item.raw.get("entry"))
    return as_text(as_dict(entries[0]).get("id"))[:255] if entries else ""
