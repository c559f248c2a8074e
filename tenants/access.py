"""Who may see and do what in whose business: the one place that answers it, for the admin and for the API."""

from collections.abc import Collection
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet

from .models import Membership

Person = AbstractBaseUser | AnonymousUser
Roles = frozenset[str]
Row = TypeVar("Row", bound=Model)

ANYONE: Roles = frozenset(Membership.Role.values)
OPERATORS: Roles = frozenset({Membership.Role.OWNER, Membership.Role.OPERATOR})
OWNERS: Roles = frozenset({Membership.Role.OWNER})
NOBODY: Roles = frozenset()  # superusers only

_KEPT = "_roles_in_tenants"


def roles_of(person: Person) -> dict[int, str]:
    """The person's role by tenant id, read from the database once a request."""
    if not getattr(person, "is_authenticated", False):
        return {}
    if not hasattr(person, _KEPT):
        memberships = Membership.objects.filter(user_id=int(person.pk or 0))
        setattr(person, _KEPT, dict(memberships.values_list("tenant_id", "role")))
    roles: dict[int, str] = getattr(person, _KEPT)
    return roles


def is_installation_admin(person: Person) -> bool:
    return bool(getattr(person, "is_active", False) and getattr(person, "is_superuser", False))


def tenants_of(person: Person, roles: Roles = ANYONE) -> list[int]:
    """The ids of the tenants in which the person has one of these roles."""
    return [tenant_id for tenant_id, role in roles_of(person).items() if role in roles]


def has_role(person: Person, roles: Roles, tenant_id: int | None) -> bool:
    """Whether the person has one of these roles in that tenant; a row of no tenant is for superusers."""
    return is_installation_admin(person) or roles_of(person).get(tenant_id or 0) in roles


def has_role_anywhere(person: Person, roles: Roles) -> bool:
    return is_installation_admin(person) or bool(tenants_of(person, roles))


def for_user(rows: "QuerySet[Row]", person: Person, path: str, roles: Roles = ANYONE) -> "QuerySet[Row]":
    """Of these rows, those whose tenant (reached by `path`) gives the person one of these roles."""
    if is_installation_admin(person):
        return rows
    return rows.filter(**{f"{path}__in": tenants_of(person, roles)})


def tenant_id_of(row: Any, path: str) -> int | None:
    """The id of the tenant that `path` leads to from a row: "pk", "tenant", "conversation__tenant"."""
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step)
    found: int | None = row.pk if last == "pk" else getattr(row, f"{last}_id")
    return found


def names_secret(name: str, secrets: Collection[str]) -> bool:
    """Whether a lookup ("api_key__startswith") asks about a secret column."""
    return any(part in secrets for part in name.split("__"))
