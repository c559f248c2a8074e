"""Businesses and people for the tests of the admin and the API."""

from dataclasses import dataclass, field

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client

from tenants.models import MemberRole, Membership, Tenant

Role = MemberRole


def tenant(slug: str) -> Tenant:
    return Tenant.objects.create(name=f"Business {slug}", slug=slug)


def person(name: str, **roles: Role) -> User:
    """A staff user, with a role in the tenants named by their slugs."""
    user = User.objects.create_user(name, f"{name}@example.test", is_staff=True)
    for slug, role in roles.items():
        Membership.objects.create(user=user, tenant=Tenant.objects.get(slug=slug), role=role)
    return user


def superuser() -> User:
    return User.objects.create_superuser("root")


def browser_of(user: User) -> Client:
    """A browser in which the user has just signed in with a password."""
    client = Client()
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, "password")
    request.session.save()
    return client


@dataclass(frozen=True)
class TwoBusinesses:
    """Ours and theirs, with one person of each role in ours and a stranger who owns theirs."""

    ours: Tenant = field(default_factory=lambda: tenant("ours"))
    theirs: Tenant = field(default_factory=lambda: tenant("theirs"))
    people: dict[str, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in Role:
            self.people[role] = person(f"our-{role}", ours=role)
        self.people["stranger"] = person("stranger", theirs=Role.OWNER)
        self.people["nobody"] = person("nobody")
        self.people["superuser"] = superuser()

    def browser(self, who: str) -> Client:
        return browser_of(self.people[who])


@pytest.fixture
def businesses(db: None) -> TwoBusinesses:
    return TwoBusinesses()
