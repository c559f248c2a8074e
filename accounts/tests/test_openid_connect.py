"""Signing in at an OpenID Connect provider: only confirmed addresses, and no accounts for strangers."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from oidc_provider_mock import User as Claims
from oidc_provider_mock import run_server_in_thread

from accounts.provider import openid_connect, provider_id
from accounts.tests.signing_in import HTML, app_of, enter, is_in
from runtime.clock import ago, from_now
from tenants.models import Invitation, MemberRole, Membership, Tenant

pytestmark = pytest.mark.django_db
CLAIMS = {
    "ann": {"email": "Ann@example.test", "email_verified": True, "given_name": "Ann", "family_name": "Lee"},
    "unverified": {"email": "ann@example.test", "email_verified": False},
    "silent": {"email": "ann@example.test"},
    "nameless": {},
    "new": {"email": "new.person@example.test", "email_verified": True, "given_name": "New"},
    "lookalike": {"email": "mıke@example.test", "email_verified": True},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    users = [Claims(sub=sub, claims=claims) for sub, claims in CLAIMS.items()]
    with run_server_in_thread(user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


def configure(settings: Any, issuer: str) -> None:
    settings.OIDC_ISSUER, settings.OIDC_NAME, settings.OIDC_ID = issuer, "Acme", provider_id(issuer)
    settings.SOCIALACCOUNT_PROVIDERS = openid_connect(issuer, "parley", "secret", "Acme")


@pytest.fixture(autouse=True)
def _configured(settings: Any, issuer: str) -> None:
    configure(settings, issuer)


def arrive(issuer: str, sub: str, client: Client | None = None, query: str = "") -> tuple[Client, Any]:
    """Follow the button on the login page, sign in at the provider as `sub`, and come back."""
    client = client or Client()
    start = client.get(f"/account/oidc/{provider_id(issuer)}/login/{query}")
    there = httpx2.post(start.headers["Location"], data={"sub": sub})
    back = urlsplit(there.headers["Location"])
    return client, client.get(f"{back.path}?{back.query}", headers=HTML)


def invite(business: Tenant, email: str, **columns: Any) -> Invitation:
    inviter = Membership.objects.filter(tenant=business, role=MemberRole.OWNER)[0].user
    values = {"role": MemberRole.OPERATOR, "invited_by": inviter, "expires_at": from_now(3600), **columns}
    return Invitation.objects.create(tenant=business, email=email, **values)


def test_the_login_page_offers_it_only_if_it_is_configured(ann: User, issuer: str, settings: Any) -> None:
    assert "Log in with Acme" in Client().get("/admin/login/").content.decode()
    settings.OIDC_ISSUER = ""
    assert "Log in with Acme" not in Client().get("/admin/login/").content.decode()


def test_the_provider_gets_a_state_and_a_challenge(issuer: str) -> None:
    sent_to = Client().get(f"/account/oidc/{provider_id(issuer)}/login/").headers["Location"]
    query = parse_qs(urlsplit(sent_to).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"][0]
    assert query["redirect_uri"] == [f"http://testserver/account/oidc/{provider_id(issuer)}/login/callback/"]


@pytest.mark.parametrize("sub", ["ann", "unverified", "silent", "nameless", "new", "lookalike"])
def test_strangers_get_no_account(ann: User, issuer: str, sub: str) -> None:
    client, answer = arrive(issuer, sub)
    assert answer.status_code == 403
    assert not is_in(client)
    assert list(User.objects.values_list("username", flat=True)) == ["ann"]
    assert not SocialAccount.objects.exists()


def test_an_account_is_linked_only_if_the_operator_allows_it(ann: User, issuer: str, settings: Any) -> None:
    client, answer = arrive(issuer, "ann")
    assert "There&#x27;s already an account for ann@example.test" in answer.content.decode()
    settings.OIDC_LINK_BY_EMAIL = True
    client, answer = arrive(issuer, "ann")
    assert is_in(client)
    assert client.session["_auth_user_id"] == str(ann.pk)
    assert SocialAccount.objects.get().user == ann
    # The link stays, whatever becomes of the address.
    settings.OIDC_LINK_BY_EMAIL = False
    User.objects.update(email="")
    assert is_in(arrive(issuer, "ann")[0])


@pytest.mark.parametrize("sub", ["unverified", "silent", "lookalike"])
def test_only_a_verified_address_is_linked(ann: User, issuer: str, settings: Any, sub: str) -> None:
    settings.OIDC_LINK_BY_EMAIL = True
    User.objects.create_user("mike", "mike@example.test", is_staff=True)
    assert not is_in(arrive(issuer, sub)[0])


def test_an_address_that_nobody_confirmed_is_not_linked(ours: Tenant, issuer: str, settings: Any) -> None:
    """A link that the inviter passed on can create an account with any address in its name."""
    settings.OIDC_LINK_BY_EMAIL = True
    User.objects.create_user("ann@example.test", is_staff=True)
    assert not is_in(arrive(issuer, "ann")[0])


def test_someone_invited_gets_an_account_and_accepts(ours: Tenant, ann: User, issuer: str) -> None:
    invite(ours, "new.person@example.test")
    client, _ = arrive(issuer, "new")
    user = User.objects.get(username="new.person@example.test")
    assert (user.email, user.first_name, user.has_usable_password()) == ("new.person@example.test", "New", False)
    assert not Membership.objects.filter(user=user).exists()
    assert "Business ours invited you" in client.get("/admin/").content.decode()
    assert client.post(f"/invitations/{Invitation.objects.get().pk}/", {"answer": "accept"}).status_code == 302
    assert Membership.objects.get(user=user).role == MemberRole.OPERATOR
    assert is_in(arrive(issuer, "new")[0])
    assert User.objects.count() == 2


@pytest.mark.parametrize("end", [{"expires_at": ago(1)}, {"email": "someone.else@example.test"}])
def test_only_a_valid_invitation_of_the_same_address_counts(
    ours: Tenant, ann: User, issuer: str, end: dict[str, Any]
) -> None:
    invite(ours, **{"email": "new.person@example.test", **end})
    assert not is_in(arrive(issuer, "new")[0])
    assert User.objects.count() == 1


def test_a_second_factor_is_asked_for_here_too(ann: User, issuer: str, settings: Any) -> None:
    settings.OIDC_LINK_BY_EMAIL = True
    app = app_of(ann)
    client, answer = arrive(issuer, "ann")
    assert answer.headers["Location"] == "/account/two-factor/authenticate/"
    assert not is_in(client)
    assert enter(client, app.now())
    assert is_in(client)


def test_someone_inactive_stays_out(ann: User, issuer: str, settings: Any) -> None:
    settings.OIDC_LINK_BY_EMAIL = True
    assert is_in(arrive(issuer, "ann")[0])
    User.objects.update(is_active=False)
    assert not is_in(arrive(issuer, "ann")[0])


def test_another_providers_users_are_never_the_same(ann: User, issuer: str, settings: Any) -> None:
    """They may have the same `sub`."""
    settings.OIDC_LINK_BY_EMAIL = True
    arrive(issuer, "ann")
    settings.OIDC_LINK_BY_EMAIL = False
    with run_server_in_thread(user_claims=[Claims(sub="ann", claims={})]) as other:
        configure(settings, f"http://localhost:{other.server_port}")
        assert not is_in(arrive(settings.OIDC_ISSUER, "ann")[0])


def test_no_link_is_added_to_the_account_that_is_signed_in(ann: User, issuer: str) -> None:
    """It would let a link in an email add the attacker's account to yours."""
    client = Client()
    client.force_login(ann)
    _, answer = arrive(issuer, "new", client, "?process=connect")
    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()


def test_an_answer_to_someone_elses_attempt_is_refused(ann: User, issuer: str, settings: Any) -> None:
    settings.OIDC_LINK_BY_EMAIL = True
    start = Client().get(f"/account/oidc/{provider_id(issuer)}/login/")
    back = urlsplit(httpx2.post(start.headers["Location"], data={"sub": "ann"}).headers["Location"])
    victim = Client()
    assert "An error occurred" in victim.get(f"{back.path}?{back.query}").content.decode()
    assert not is_in(victim)


def test_a_provider_that_cannot_be_reached_is_said_to_be(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    configure(settings, "http://localhost:1")
    answer = Client().get(f"/account/oidc/{provider_id('http://localhost:1')}/login/")
    assert (answer.status_code, "Acme can&#x27;t be reached" in answer.content.decode()) == (503, True)
    assert "can't be reached: " in caplog.text


def test_no_other_provider_exists(issuer: str) -> None:
    assert Client().get("/account/oidc/other/login/").status_code == 404
    assert Client().get("/account/oidc/other/login/callback/").status_code == 404
