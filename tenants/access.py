"""Who may see and do what in which business. The admin and the APIs ask here."""

from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet

from runtime.row_security.scope import EVERYTHING, NOTHING, Scope, all_businesses

from .models import MemberRole, Membership

Person = AbstractBaseUser | AnonymousUser
Roles = frozenset[MemberRole]
Row = TypeVar("Row", bound=Model)

ANYONE: Roles = frozenset(MemberRole)
OPERATORS: Roles = frozenset({MemberRole.OWNER, MemberRole.OPERATOR})
OWNERS: Roles = frozenset({MemberRole.OWNER})
NOBODY: Roles = frozenset()  # superusers only

_CACHE = "_roles_and_rules"


def roles_of(person: Person) -> dict[int, MemberRole]:
    """The person's roles by tenant ID, in active businesses. Reads the database once per request."""
    return _roles_and_rules(person)[0]


@dataclass(frozen=True, slots=True)
class Suspended:
    """A suspended business, and what its members are told."""

    name: str
    note: str


def suspended_businesses(person: Person) -> list[Suspended]:
    """The suspended businesses that the person is a member of."""
    return _roles_and_rules(person)[2]


def is_shut_out(person: Person) -> bool:
    """Whether all of the person's businesses are suspended."""
    roles, _, suspended = _roles_and_rules(person)
    return bool(suspended) and not roles and not is_installation_admin(person)


def must_use_two_factors(person: Person) -> bool:
    """Whether one of the person's businesses requires it of their role, or the installation of its superusers.

    A session isn't tied to a business, so the strictest of them decides.
    """
    return (is_installation_admin(person) and settings.SUPERUSERS_NEED_TWO_FACTORS) or _roles_and_rules(person)[1]


_Known = tuple[dict[int, MemberRole], bool, list[Suspended]]


def _roles_and_rules(person: Person) -> _Known:
    if not (person.is_authenticated and person.is_active):
        return {}, False, []
    if not hasattr(person, _CACHE):
        with all_businesses():  # it decides which of them the request sees
            memberships = Membership.objects.filter(user_id=int(person.pk)).order_by("tenant__name")
            rows = list(memberships.select_related("tenant__sign_in_rules"))
        active = [row for row in rows if row.tenant.is_active]
        roles = {row.tenant_id: MemberRole(row.role) for row in active}
        rules = [(row.role, getattr(row.tenant, "sign_in_rules", None)) for row in active]
        is_strict = any(rule is not None and role in rule.two_factor_roles for role, rule in rules)
        suspended = [Suspended(row.tenant.name, row.tenant.suspension_note) for row in rows if row not in active]
        setattr(person, _CACHE, (roles, is_strict, suspended))
    cached: _Known = getattr(person, _CACHE)
    return cached


def scope_of(person: Person) -> Scope:
    """The businesses whose rows this person's requests see."""
    if is_installation_admin(person):
        return EVERYTHING
    return Scope(tuple(sorted(roles_of(person)))) if person.is_authenticated else NOTHING


def is_installation_admin(person: Person) -> bool:
    return person.is_active and bool(getattr(person, "is_superuser", False))


def tenants_of(person: Person, roles: Roles = ANYONE) -> list[int]:
    """The IDs of the tenants in which the person has one of these roles."""
    return [tenant_id for tenant_id, role in roles_of(person).items() if role in roles]


def has_role(person: Person, roles: Roles, tenant_id: int | None) -> bool:
    """Whether the person has one of these roles in this tenant. Superusers have every role everywhere."""
    return is_installation_admin(person) or roles_of(person).get(tenant_id or 0) in roles


def has_role_anywhere(person: Person, roles: Roles) -> bool:
    return is_installation_admin(person) or bool(tenants_of(person, roles))


def for_user(rows: QuerySet[Row], person: Person, path: str, roles: Roles = ANYONE) -> QuerySet[Row]:
    """The rows of the tenants in which the person has one of these roles. `path` leads from a row to its tenant."""
    if is_installation_admin(person):
        return rows
    return rows.filter(**{f"{path}__in": tenants_of(person, roles)})


def tenant_id_of(row: Model, path: str) -> int | None:
    """The ID of the tenant that `path` leads to from a row: "pk", "tenant" or "conversation__tenant"."""
    *steps, last = path.split("__")
    for step in steps:
        row = getattr(row, step)
    found: int | None = row.pk if last == "pk" else getattr(row, f"{last}_id")
    return found
