"""People with passwords and authenticator apps, for the tests of signing in."""

from typing import Any

import pyotp
import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from tenants.models import MemberRole, SignInRules, Tenant
from tenants.tests.people import person, tenant

PASSWORD = "a long and quiet road"
LOGIN, INDEX, ENTER, FACTORS = "/admin/login/", "/admin/", "/account/two-factor/authenticate/", "/account/two-factor/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def ours(db: None, settings: Any) -> Tenant:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tenant("ours")


@pytest.fixture
def ann(ours: Tenant) -> User:
    return with_password(person("ann", ours=MemberRole.OWNER))


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def app_of(user: User, secret: str = SECRET) -> pyotp.TOTP:
    """The user's new authenticator app."""
    TOTP.activate(user, secret)
    return pyotp.TOTP(secret)


def recovery_codes_of(user: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    return codes


def require(business: Tenant, *roles: MemberRole) -> None:
    SignInRules.objects.update_or_create(tenant=business, defaults={"two_factor_roles": list(roles)})


def sign_in(user: User, password: str = PASSWORD, client: Client | None = None) -> Client:
    client = client or Client()
    client.post(LOGIN, {"username": user.username, "password": password})
    return client


def enter(client: Client, code: str) -> bool:
    """Enter a code. Whether it was accepted."""
    return client.post(ENTER, {"code": code}).status_code == 302


def is_in(client: Client) -> bool:
    return client.get(INDEX, headers=HTML).status_code == 200
