"""Signing in, in a browser: an authenticator app, a passkey, a recovery code, and an OpenID Connect provider."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from oidc_provider_mock import User as Claims
from oidc_provider_mock import run_server_in_thread
from playwright.sync_api import Page, ViewportSize, expect

from accounts.provider import openid_connect, provider_id
from accounts.tests.signing_in import PASSWORD, app_of, recovery_codes_of, require, with_password
from tenants.models import MemberRole
from tests.browser.conftest import PHONE, Desk
from tests.browser.test_accessibility import LOOKS, checked

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]
# Our refusal (403), and the provider's style sheet, which it loads from elsewhere.
EXPECTED = "Failed to load resource"


@pytest.fixture
def owner(desk: Desk) -> User:
    return with_password(desk.businesses.people["owner"])


@pytest.fixture
def page(desk: Desk) -> Page:
    """At `localhost`: passkeys belong to a domain, never to an IP address."""
    desk.url = re.sub(r"//[^:]+:", "//localhost:", desk.url)
    page = desk.window().new_page()
    page.goto(f"{desk.url}/admin/")
    return page


def log_in(page: Page, user: User) -> None:
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("^Log in arrow")).click()


def enter(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign In").click()


def log_out(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/account/sessions/")
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{desk.url}/admin/")


def with_a_passkey_device(page: Page) -> None:
    """A virtual device with a fingerprint reader that always says yes."""
    chrome = page.context.new_cdp_session(page)
    chrome.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    chrome.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_an_app_that_the_role_requires_is_set_up_and_then_asked_for(desk: Desk, owner: User, page: Page) -> None:
    require(desk.businesses.ours, MemberRole.OWNER)
    log_in(page, owner)
    expect(page.get_by_text("Your role requires two-factor authentication")).to_be_visible()
    page.goto(f"{desk.url}/admin/conversations/conversation/")
    expect(page).to_have_url(f"{desk.url}/account/two-factor/")
    answer = page.request.get(f"{desk.url}/admin/conversations/conversation/live/")
    assert (answer.status, "two-factor" in answer.text()) == (403, True)
    page.get_by_role("link", name="Activate").click()
    app = pyotp.TOTP(page.get_by_label("Authenticator secret").input_value())
    page.get_by_label("Authenticator code").fill(app.now())
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_label("Unused codes")).to_be_visible()
    page.goto(f"{desk.url}/admin/")
    expect(page).to_have_url(f"{desk.url}/admin/")
    log_out(page, desk)
    log_in(page, owner)
    expect(page).to_have_url(re.compile("/account/two-factor/authenticate/$"))
    enter(page, app.at(dt.datetime.now(), counter_offset=1))  # the current one was just used
    expect(page).to_have_url(f"{desk.url}/admin/")


def test_a_passkey_is_enough(desk: Desk, owner: User, page: Page) -> None:
    require(desk.businesses.ours, MemberRole.OWNER)
    with_a_passkey_device(page)
    log_in(page, owner)
    page.get_by_role("link", name="Add").click()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Unused codes")).to_be_visible()
    log_out(page, desk)
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page).to_have_url(f"{desk.url}/admin/")
    assert Authenticator.objects.get(type="webauthn").last_used_at


def test_a_passkey_is_a_second_factor_too(desk: Desk, owner: User, page: Page) -> None:
    with_a_passkey_device(page)
    log_in(page, owner)
    page.goto(f"{desk.url}/account/two-factor/webauthn/add/")
    page.get_by_label("Use it to sign in without a password").uncheck()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Unused codes")).to_be_visible()
    log_out(page, desk)
    log_in(page, owner)
    page.get_by_role("button", name="Use a security key").click()
    expect(page).to_have_url(f"{desk.url}/admin/")


def test_a_recovery_code_works_once(desk: Desk, owner: User, page: Page) -> None:
    app_of(owner)
    code = recovery_codes_of(owner)[0]
    log_in(page, owner)
    enter(page, code)
    expect(page).to_have_url(f"{desk.url}/admin/")
    log_out(page, desk)
    log_in(page, owner)
    enter(page, code)
    expect(page.get_by_text("Incorrect code")).to_be_visible()


@pytest.fixture
def issuer(settings: Any) -> Iterator[str]:
    claims = {"email": "our-owner@example.test", "email_verified": True}
    with run_server_in_thread(user_claims=[Claims(sub="our-owner", claims=claims)]) as server:
        url = f"http://localhost:{server.server_port}"
        settings.OIDC_ISSUER, settings.OIDC_NAME, settings.OIDC_ID = url, "Acme", provider_id(url)
        settings.SOCIALACCOUNT_PROVIDERS = openid_connect(url, "parley", "secret", "Acme")
        yield url


def test_an_openid_connect_provider(desk: Desk, owner: User, page: Page, issuer: str, settings: Any) -> None:
    page.reload()
    page.get_by_role("link", name="Log in with Acme").click()
    page.locator("input[name=sub]").fill("our-owner")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There's already an account for our-owner@example.test")).to_be_visible()
    settings.OIDC_LINK_BY_EMAIL = True
    page.get_by_role("link", name="Back to the login page").click()
    page.get_by_role("link", name="Log in with Acme").click()
    page.locator("input[name=sub]").fill("our-owner")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{desk.url}/admin/")
    desk.problems[:] = [each for each in desk.problems if not each.startswith(EXPECTED)]


def test_sessions_are_ended_one_by_one(desk: Desk, owner: User, page: Page) -> None:
    other = desk.window(viewport=PHONE).new_page()
    for each in (other, page):
        each.goto(f"{desk.url}/admin/")
        log_in(each, owner)
        expect(each).to_have_url(f"{desk.url}/admin/")
    page.goto(f"{desk.url}/account/sessions/")
    page.get_by_role("button", name=re.compile("^End the session")).click()
    expect(page.get_by_text("The session has ended.")).to_be_visible()
    other.reload()
    expect(other).to_have_url(re.compile("/admin/login/"))


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_the_pages_are_accessible(desk: Desk, owner: User, scheme: str, size: ViewportSize) -> None:
    page = desk.page_of("owner", color_scheme=scheme)
    found = []
    for name in ("", "totp/activate/", "webauthn/add/", "webauthn/"):
        found += checked(page, f"{desk.url}/account/two-factor/{name}", f"{name} {scheme}", size)
    app_of(owner)
    recovery_codes_of(owner)
    for name in ("two-factor/", "two-factor/totp/deactivate/", "two-factor/recovery-codes/", "sessions/", "confirm/"):
        found += checked(page, f"{desk.url}/account/{name}", f"{name} {scheme}", size)
    for name in ("signinrules/", "signinrules/add/"):
        found += checked(page, f"{desk.url}/admin/tenants/{name}", f"{name} {scheme}", size)
    assert not found, "\n".join(found)
