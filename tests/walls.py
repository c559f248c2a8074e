"""Switches off one of the two walls between businesses: Parley's own filters, or row-level security."""

import sys
from typing import Any

import pytest

from api.base import ApiView
from conversations.desk import version
from runtime.row_security.scope import Carrier
from tenants import access
from tenants.models import Tenant


def without_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every filter by business lets everything through, and a role in one business is one in all of them."""

    def everything(rows: Any, *args: object) -> Any:
        return rows

    def anywhere(person: Any, roles: Any, tenant_id: object) -> bool:
        return access.has_role_anywhere(person, roles)

    def all_tenants(person: Any, roles: Any = access.ANYONE) -> list[int]:
        return list(Tenant.objects.values_list("pk", flat=True)) if access.has_role_anywhere(person, roles) else []

    for name, instead in (("for_user", everything), ("has_role", anywhere), ("tenants_of", all_tenants)):
        original = getattr(access, name)
        for module in list(sys.modules.values()):
            if module is not access and getattr(module, name, None) is original:
                monkeypatch.setattr(module, name, instead)
    monkeypatch.setattr(ApiView, "visible", lambda self, rows, tenant_path="tenant": rows)
    monkeypatch.setattr(version, "_OF_TENANTS", version._OF_ALL)


def without_row_security(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statements don't carry their scope."""
    monkeypatch.setattr(
        Carrier, "__call__", lambda self, execute, sql, params, many, context: execute(sql, params, many, context)
    )
