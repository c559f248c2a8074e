"""An API key is made in the admin, shown once, and opens its own business until it is revoked."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from api.models import ApiKey
from api.tests.programs import Program, Programs
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses, browser_of

ADMIN = "/admin/api/apikey/"


def make(client: Client, tenant: Tenant | None, scope: str = "read") -> Any:
    data = {"tenant": tenant.pk if tenant else "", "name": "Shop", "scope": scope}
    return client.post(f"{ADMIN}add/", data, follow=True)


def token_in(page: Any) -> str:
    (shown,) = [str(message) for message in page.context["messages"] if "prk_" in str(message)]
    return shown.rpartition(" ")[2]


@pytest.mark.parametrize("who", ["owner", "superuser"])
@pytest.mark.django_db
def test_is_made_by_an_owner_and_shown_once(who: str) -> None:
    businesses = TwoBusinesses()
    client = businesses.browser(who)
    token = token_in(make(client, businesses.ours, "write"))
    key = ApiKey.objects.get()
    assert (key.created_by, key.tenant) == (businesses.people[who], businesses.ours)
    assert token not in str(ApiKey.objects.values().get())
    for page in (ADMIN, f"{ADMIN}{key.pk}/change/"):
        text = client.get(page).content.decode()
        assert key.prefix in text
        assert token not in text
        assert key.hash not in text
    answer = Program(token, Client()).get("key")
    assert answer.json() | {"created_at": ""} == {
        "name": "Shop",
        "prefix": key.prefix,
        "tenant": businesses.ours.pk,
        "scope": "write",
        "created_at": "",
    }


@pytest.mark.parametrize("who", ["viewer", "operator", "nobody"])
@pytest.mark.django_db
def test_is_not_made_or_seen_by_others(who: str) -> None:
    businesses = TwoBusinesses()
    assert make(businesses.browser(who), businesses.ours).status_code == 403
    assert businesses.browser(who).get(ADMIN).status_code == 403
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_is_not_made_for_another_business_or_for_none() -> None:
    businesses = TwoBusinesses()
    for tenant in (businesses.ours, Tenant.objects.single(), None):
        make(businesses.browser("stranger"), tenant)
    make(businesses.browser("superuser"), None)
    assert not ApiKey.objects.exists()


def test_neither_its_scope_nor_its_business_changes_and_a_stranger_revokes_nothing(programs: Programs) -> None:
    key = ApiKey.objects.get(scope="read")
    client = programs.businesses.browser("owner")
    theirs = programs.businesses.theirs.pk
    client.post(f"{ADMIN}{key.pk}/change/", {"name": "Renamed", "scope": "write", "tenant": theirs})
    key.refresh_from_db()
    assert (key.name, key.scope, key.tenant) == ("Renamed", "read", programs.businesses.ours)
    data = {"action": "revoke", "_selected_action": [key.pk]}
    programs.businesses.browser("stranger").post(ADMIN, data)
    assert programs.reader.get("key").status_code == 200
    client.post(ADMIN, data)
    assert programs.reader.get("key").status_code == 401
    assert "Revoked" in client.get(ADMIN).content.decode()


def test_opens_nothing_to_strangers(programs: Programs) -> None:
    for stranger in programs.strangers:
        answer = stranger.get("key")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()) == {"detail"}


def test_is_not_a_session_or_a_token_of_the_admin_and_does_not_open_the_admin_api(programs: Programs) -> None:
    assert browser_of(programs.owner).get("/api/key").status_code == 401
    token = Token.objects.create(user=programs.owner).key
    for scheme in ("Token", "Bearer", "Basic"):
        assert Client(headers={"Authorization": f"{scheme} {token}"}).get("/api/key").status_code == 401
    assert programs.writer.get("admin/tenants").status_code == 401


def test_shows_when_it_was_last_used_to_the_minute(programs: Programs, django_assert_num_queries: Any) -> None:
    before = timezone.now()
    programs.writer.get("key")
    key = ApiKey.objects.filter(last_used_at__gte=before).get()
    with django_assert_num_queries(2):  # the key, the rate: nothing is written down
        programs.writer.get("key")
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=before - dt.timedelta(seconds=61))
    programs.writer.get("key")
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert key.last_used_at >= before


def test_whoever_made_one_cannot_be_deleted_and_the_admin_says_why(programs: Programs) -> None:
    client = programs.businesses.browser("superuser")
    page = client.get(f"/admin/auth/user/{programs.owner.pk}/delete/")
    assert page.status_code == 200
    assert "Program that may read" in page.content.decode()
    client.post(f"/admin/auth/user/{programs.owner.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=programs.owner.pk).exists()
