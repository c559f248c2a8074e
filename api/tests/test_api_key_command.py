"""`manage.py api_key` prints a key that works."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def generated(**options: Any) -> str:
    printed = StringIO()
    call_command("api_key", stdout=printed, **options)
    return printed.getvalue().strip()


@pytest.fixture
def admin() -> User:
    Tenant.objects.single()
    return User.objects.create_superuser("admin")


def test_a_key_of_the_only_business(admin: User) -> None:
    key = generated(name="Shop")
    answer = Client().get("/api/key", headers={"Authorization": f"Bearer {key}"}).json()
    assert (answer["name"], answer["scope"]) == ("Shop", "write")
    assert generated(read_only=True) != key


def test_an_admin_token(admin: User) -> None:
    token = generated(admin_token=True)
    assert Client().get("/api/admin/tenants", headers={"Authorization": f"Token {token}"}).status_code == 200


def test_of_several_businesses_one_must_be_named(admin: User) -> None:
    Tenant.objects.create(name="Two", slug="two")
    with pytest.raises(CommandError, match=r"Name one of the businesses with --business: .*two"):
        generated()
    assert generated(business="two").startswith("prk_")


def test_a_user_who_does_not_exist_is_named(admin: User) -> None:
    with pytest.raises(CommandError, match="There's no staff user 'sam'"):
        generated(user="sam")
