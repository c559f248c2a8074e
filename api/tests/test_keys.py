"""API keys: generated in the admin, shown once, valid for one business until they're revoked."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from api import keys
from api.models import ApiKey
from api.tests.clients import ApiClient, Clients
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
def test_an_owner_generates_a_key_that_is_shown_once(who: str) -> None:
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
    answer = ApiClient(token, Client()).get("key")
    assert answer.json() | {"created_at": ""} == {
        "name": "Shop",
        "prefix": key.prefix,
        "tenant": businesses.ours.pk,
        "scope": "write",
        "created_at": "",
    }


@pytest.mark.parametrize("who", ["viewer", "operator", "nobody"])
@pytest.mark.django_db
def test_others_cannot_generate_or_see_keys(who: str) -> None:
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


def test_a_keys_scope_and_business_are_fixed_and_only_its_owners_can_revoke_it(clients: Clients) -> None:
    key = ApiKey.objects.get(scope="read")
    client = clients.businesses.browser("owner")
    theirs = clients.businesses.theirs.pk
    client.post(f"{ADMIN}{key.pk}/change/", {"name": "Renamed", "scope": "write", "tenant": theirs})
    key.refresh_from_db()
    assert (key.name, key.scope, key.tenant) == ("Renamed", "read", clients.businesses.ours)
    data = {"action": "revoke", "_selected_action": [key.pk]}
    clients.businesses.browser("stranger").post(ADMIN, data)
    assert clients.reader.get("key").status_code == 200
    client.post(ADMIN, data)
    assert clients.reader.get("key").status_code == 401
    assert "Revoked" in client.get(ADMIN).content.decode()


def test_an_invalid_key_gets_401(clients: Clients) -> None:
    for stranger in clients.strangers:
        answer = stranger.get("key")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/json"
        assert set(answer.json()) == {"detail"}


def test_sessions_admin_tokens_and_api_keys_are_not_interchangeable(clients: Clients) -> None:
    assert browser_of(clients.owner).get("/api/key").status_code == 401
    token = Token.objects.create(user=clients.owner).key
    for scheme in ("Token", "Bearer", "Basic"):
        assert Client(headers={"Authorization": f"{scheme} {token}"}).get("/api/key").status_code == 401
    assert clients.writer.get("admin/tenants").status_code == 401


def test_last_use_is_recorded_once_a_minute(clients: Clients, django_assert_num_queries: Any) -> None:
    before = timezone.now()
    clients.writer.get("key")
    key = ApiKey.objects.filter(last_used_at__gte=before).get()
    with django_assert_num_queries(2):  # the key, the rate limit, but no update
        clients.writer.get("key")
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=before - dt.timedelta(seconds=61))
    clients.writer.get("key")
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert key.last_used_at >= before


def test_last_use_is_recorded_once_when_requests_race(clients: Clients) -> None:
    stale = timezone.now() - dt.timedelta(minutes=2)
    ApiKey.objects.update(last_used_at=stale)
    first, second = ApiKey.objects.get(scope="read"), ApiKey.objects.get(scope="read")
    keys.record_use(first)
    recorded = ApiKey.objects.get(scope="read").last_used_at
    keys.record_use(second)
    assert recorded != stale
    assert ApiKey.objects.get(scope="read").last_used_at == recorded


def test_the_creator_of_a_key_cannot_be_deleted_and_the_admin_explains_it(clients: Clients) -> None:
    client = clients.businesses.browser("superuser")
    page = client.get(f"/admin/auth/user/{clients.owner.pk}/delete/")
    assert page.status_code == 200
    assert "Shop (read)" in page.content.decode()
    client.post(f"/admin/auth/user/{clients.owner.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=clients.owner.pk).exists()
