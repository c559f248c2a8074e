"""Signing in with a second factor: it can't be skipped, guessed or used twice."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pyotp
import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import Client

from accounts.models import CacheEntry
from accounts.tests.signing_in import (
    FACTORS,
    HTML,
    PASSWORD,
    SECRET,
    app_of,
    enter,
    is_in,
    recovery_codes_of,
    sign_in,
    with_password,
)
from runtime.clock import ago
from tenants.tests.people import browser_of, person

pytestmark = pytest.mark.django_db
ATTEMPTS = 5  # within 15 minutes
SET_UP = f"{FACTORS}totp/activate/"


def secret_shown(client: Client) -> str:
    return str(client.get(SET_UP).context["form"].secret)


def test_a_password_is_enough_without_a_second_factor(ann: User) -> None:
    assert is_in(sign_in(ann))


def test_a_password_alone_opens_nothing_once_there_is_a_second_factor(ann: User) -> None:
    app = app_of(ann)
    client = sign_in(ann)
    assert not is_in(client)
    assert client.get("/account/sessions/").status_code == 302
    assert enter(client, app.now())
    assert is_in(client)


def test_a_second_factor_without_the_password_opens_nothing(ann: User) -> None:
    client, app = Client(), app_of(ann)
    assert client.post(f"{FACTORS}authenticate/", {"code": app.now()}).headers["Location"] == "/admin/login/"
    assert not is_in(client)


def test_an_app_is_set_up_with_its_first_code_and_gives_recovery_codes(ann: User) -> None:
    client = browser_of(ann)
    app = pyotp.TOTP(secret_shown(client))
    wrong = client.post(SET_UP, {"code": "000000" if app.now() != "000000" else "111111"})
    assert "Incorrect code" in wrong.content.decode()
    assert not Authenticator.objects.exists()
    shown = client.post(SET_UP, {"code": app.now()}, follow=True).content.decode()
    assert all(code in shown for code in Authenticator.objects.get(type="recovery_codes").wrap().generate_codes())


def test_secrets_are_stored_encrypted(ann: User) -> None:
    app_of(ann)
    recovery_codes_of(ann)
    stored = str(list(Authenticator.objects.order_by("pk").values_list("data", flat=True)))
    assert SECRET not in stored
    assert stored.count("gAAAAA") == 2


def test_a_code_cannot_be_used_twice(ann: User) -> None:
    app = app_of(ann)
    code = app.now()
    assert enter(sign_in(ann), code)
    second = sign_in(ann)
    assert not enter(second, code)
    assert not is_in(second)


def test_the_code_that_set_up_the_app_cannot_be_used_again(ann: User) -> None:
    client = browser_of(ann)
    code = pyotp.TOTP(secret_shown(client)).now()
    assert client.post(SET_UP, {"code": code}).status_code == 302
    assert not enter(sign_in(ann), code)


def test_a_recovery_code_works_once(ann: User) -> None:
    app_of(ann)
    code = recovery_codes_of(ann)[3]
    client = sign_in(ann)
    assert enter(client, code)
    assert is_in(client)
    assert not enter(sign_in(ann), code)


def test_guessing_codes_is_limited_and_then_the_right_code_is_refused_too(ann: User) -> None:
    app = app_of(ann)
    for _ in range(ATTEMPTS):
        assert not enter(sign_in(ann), "no code")
    late = sign_in(ann)
    answer = late.post(f"{FACTORS}authenticate/", {"code": app.now()})
    assert "Too many failed login attempts" in answer.content.decode()
    assert not is_in(late)


def test_the_limit_is_of_one_account(ann: User) -> None:
    app_of(ann)
    bo = with_password(person("bo"))
    app = app_of(bo, pyotp.random_base32())
    for _ in range(ATTEMPTS):
        enter(sign_in(ann), "no code")
    assert enter(sign_in(bo), app.now())


@pytest.mark.django_db(transaction=True)
def test_processes_share_the_limit_and_the_used_codes(ann: User) -> None:
    """Each thread has a database connection of its own, as a process has, and nothing else to remember by."""
    app = app_of(ann)
    clients = [sign_in(ann) for _ in range(6)]
    code = app.now()

    def try_it(client: Client) -> bool:
        try:
            return enter(client, code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as threads:
        assert sum(threads.map(try_it, clients)) == 1
    assert CacheEntry.objects.filter(cache_key__contains="mfa.totp.used").count() == 1


def test_a_full_cache_forgets_no_limit(ann: User, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "OPTIONS": {"MAX_ENTRIES": 3}}}
    for number in range(8):
        cache.set(f"entry-{number}", number)
    CacheEntry.objects.filter(cache_key__contains="entry-0").update(expires=ago(1))
    cache.set("one-more", 1)
    assert [cache.get(f"entry-{number}") for number in range(8)] == [None, *range(1, 8)]
    assert not CacheEntry.objects.filter(cache_key__contains="entry-0").exists()


@pytest.mark.parametrize(
    "path", ["totp/activate/", "totp/deactivate/", "webauthn/add/", "recovery-codes/generate/", "recovery-codes/"]
)
def test_factors_are_changed_only_by_someone_who_signed_in_recently(ann: User, path: str) -> None:
    app_of(ann)
    recovery_codes_of(ann)
    client = Client()
    client.force_login(ann)
    sent = client.post(FACTORS + path, {"code": "1"}) if path != "recovery-codes/" else client.get(FACTORS + path)
    assert sent.headers["Location"].startswith("/account/confirm/") or "totp/deactivate" in sent.headers["Location"]
    assert Authenticator.objects.count() == 2


def test_removing_a_factor_asks_for_the_password_again(ann: User) -> None:
    app_of(ann)
    client = Client()
    client.force_login(ann)
    remove = f"{FACTORS}totp/deactivate/"
    assert client.post(remove).headers["Location"].startswith("/account/confirm/")
    assert Authenticator.objects.exists()
    assert client.post("/account/confirm/", {"password": "wrong"}).status_code == 200
    assert client.post(remove).headers["Location"].startswith("/account/confirm/")
    client.post("/account/confirm/", {"password": PASSWORD})
    client.post(remove)
    assert not Authenticator.objects.exists()


def test_someone_without_a_password_or_a_factor_is_asked_to_sign_in_again(ann: User) -> None:
    ann.set_unusable_password()
    ann.save()
    client = Client()
    client.force_login(ann)
    assert client.get(SET_UP, headers=HTML).headers["Location"].startswith("/account/sign-in-again/")
    assert "within the last few minutes" in client.get("/account/sign-in-again/").content.decode()
    client.post("/account/sign-out/")
    assert not is_in(client)


def test_rotating_the_keys_encrypts_the_secrets_of_factors_again(ann: User, settings: Any) -> None:
    app, codes = app_of(ann), recovery_codes_of(ann)
    new, old = Fernet.generate_key().decode(), settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [new, *old]
    call_command("rotate_keys", stdout=StringIO())
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert enter(sign_in(ann), app.now())
    assert enter(sign_in(ann), codes[0])
