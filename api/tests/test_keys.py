"""API keys: generated in the admin, shown once, valid for one business until they're revoked."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from api import keys
from api.models import MAX_KEYS, ApiKey
from api.tests.clients import ApiClient, Clients, api_client, issue_key
from conversations.tests.rows import conversation
from tenants.models import Membership, Tenant
from tenants.tests.people import TwoBusinesses, browser_of

ADMIN = "/admin/api/apikey/"


def make(client: Client, tenant: Tenant | None, scope: str = "read") -> Any:
    data = {"tenant": tenant.pk if tenant else "", "name": "Shop", "scope": scope}
    return client.post(f"{ADMIN}add/", data, follow=True)


def token_in(page: Any) -> str:
    (shown,) = re.findall(r"prk_[\w-]+", page.content.decode())
    return str(shown)


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
    token = keys.generate_admin_token(clients.owner)
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


def test_a_new_key_is_in_no_cookie_and_in_no_session(clients: Clients) -> None:
    client = clients.businesses.browser("owner")
    made = client.post(f"{ADMIN}add/", {"tenant": clients.businesses.ours.pk, "name": "Till", "scope": "read"})
    token = token_in(made)
    assert made.status_code == 200
    assert "messages" not in made.cookies
    assert token not in str([session.get_decoded() for session in Session.objects.all()])


def member_leaves(clients: Clients) -> None:
    Membership.objects.filter(user=clients.owner).delete()


def person_is_deactivated(clients: Clients) -> None:
    User.objects.filter(pk=clients.owner.pk).update(is_active=False)


def business_is_deleted(clients: Clients) -> None:
    address = f"/admin/tenants/tenant/{clients.businesses.ours.pk}/delete/"
    clients.businesses.browser("superuser").post(address, {"post": "yes"})


@pytest.mark.parametrize("event", [member_leaves, person_is_deactivated, business_is_deleted])
def test_a_key_ends_with_its_creators_membership_the_person_or_the_business(
    clients: Clients, event: Callable[[Clients], None]
) -> None:
    assert clients.reader.get("key").status_code == 200
    event(clients)
    for client in (clients.reader, clients.writer):
        assert client.get("key").status_code == 401
        assert client.get("conversations").status_code == 401
    assert clients.theirs.get("key").status_code == 200
    assert "Off: its creator has no access" in clients.businesses.browser("superuser").get(ADMIN).content.decode()


def test_a_key_of_a_superuser_needs_no_membership(clients: Clients) -> None:
    client = api_client(clients.businesses.ours, clients.businesses.people["superuser"])
    assert client.patch("assistant", {"instructions": "Be brief."}).status_code == 200


@pytest.mark.parametrize(
    ("role", "replies", "changes_settings"), [("owner", 200, 200), ("operator", 200, 403), ("viewer", 403, 403)]
)
def test_a_key_can_do_no_more_than_its_creator_can_do_now(
    clients: Clients, role: str, replies: int, changes_settings: int
) -> None:
    talk = conversation(clients.businesses.ours)
    Membership.objects.filter(user=clients.owner).update(role=role)
    assert clients.writer.post(f"conversations/{talk.pk}/take-over").status_code == replies
    assert clients.writer.patch("assistant", {"instructions": "Be brief."}).status_code == changes_settings
    assert clients.writer.get("assistant").status_code == 200


def test_a_business_can_have_only_so_many_keys(clients: Clients) -> None:
    """Each has a rate limit of its own."""
    ours, client = clients.businesses.ours, clients.businesses.browser("owner")
    for number in range(MAX_KEYS - ApiKey.objects.filter(tenant=ours, revoked_at=None).count()):
        issue_key(clients.owner, ours, f"key {number}")
    assert f"has {MAX_KEYS} API keys" in make(client, ours).content.decode()
    key = ApiKey.objects.filter(tenant=ours, revoked_at=None)[0]
    renamed = client.post(f"{ADMIN}{key.pk}/change/", {"name": "Renamed"})
    assert renamed.status_code == 302
    client.post(ADMIN, {"action": "revoke", "_selected_action": [key.pk]})
    assert token_in(make(client, ours))


def test_the_creator_of_a_key_cannot_be_deleted_and_the_admin_explains_it(clients: Clients) -> None:
    client = clients.businesses.browser("superuser")
    page = client.get(f"/admin/auth/user/{clients.owner.pk}/delete/")
    assert page.status_code == 200
    assert "Shop (read)" in page.content.decode()
    client.post(f"/admin/auth/user/{clients.owner.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=clients.owner.pk).exists()
