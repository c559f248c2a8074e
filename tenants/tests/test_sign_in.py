"""Failed sign-ins are limited by IP address and by account, but nobody can lock someone else out."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from tenants import sign_in
from tenants.sign_in import OF_ACCOUNT, OF_ADDRESS, OF_ADDRESS_AND_ACCOUNT, client_ip

PASSWORD = "a long and quiet road"
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def limits(db: None, settings: Any) -> None:
    settings.AXES_ENABLED, settings.PROXY_COUNT = True, 1
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for name in ("ann", "bo"):
        User.objects.create_user(name, password=PASSWORD, is_staff=True)


def attempt(name: str, password: str, address: str = HERE) -> int:
    """200: wrong, 302: signed in, 429: refused."""
    data = {"username": name, "password": password}
    return Client().post("/admin/login/", data, headers={"X-Forwarded-For": address}).status_code


@pytest.mark.usefixtures("limits")
def test_ten_wrong_passwords_lock_an_account_for_that_address_only() -> None:
    answers = [attempt("ann", "wrong") for _ in range(OF_ADDRESS_AND_ACCOUNT)]
    assert answers == [200] * (OF_ADDRESS_AND_ACCOUNT - 1) + [429]
    assert attempt("ann", PASSWORD) == 429
    assert attempt("bo", PASSWORD) == 302
    assert attempt("ann", PASSWORD, THERE) == 302


@pytest.mark.usefixtures("limits")
def test_one_password_for_thirty_names_is_limited_by_address() -> None:
    answers = [attempt(f"name-{number}", "Summer2026!") for number in range(30)]
    assert answers == [200] * (OF_ADDRESS - 1) + [429] * (30 - OF_ADDRESS + 1)
    assert attempt("bo", PASSWORD) == 429
    assert attempt("bo", PASSWORD, THERE) == 302


@pytest.mark.usefixtures("limits")
def test_one_client_cannot_lock_an_account_for_everyone() -> None:
    for _ in range(OF_ACCOUNT + 20):
        attempt("ann", "wrong")
    assert attempt("ann", PASSWORD, THERE) == 302


@pytest.mark.usefixtures("limits")
def test_one_client_with_a_network_of_addresses_is_one_client() -> None:
    answers = [attempt("ann", "wrong", f"2001:db8:1:2::{number:x}") for number in range(1, 12)]
    assert answers[-1] == 429
    assert attempt("ann", PASSWORD, "2001:db8:1:3::1") == 302


@pytest.mark.usefixtures("limits")
def test_guessing_from_many_addresses_is_limited_by_account_but_not_for_its_owner() -> None:
    assert attempt("ann", PASSWORD, THERE) == 302
    for number in range(OF_ACCOUNT):
        attempt("ann", "wrong", f"192.0.2.{number}")
    assert attempt("ann", PASSWORD, HERE) == 429
    assert attempt("ann", PASSWORD, THERE) == 302
    assert attempt("bo", PASSWORD, HERE) == 302


@pytest.mark.usefixtures("limits")
def test_signing_in_forgets_a_persons_own_mistakes() -> None:
    for _ in range(3):
        assert [attempt("ann", "wrong") for _ in range(5)] == [200] * 5
        assert attempt("ann", PASSWORD) == 302
    # … but an account of one's own is no help in guessing others' passwords.
    for number in range(OF_ADDRESS - 1):
        assert attempt(f"name-{number}", "wrong") == 200
        attempt("ann", PASSWORD)
    assert attempt("bo", "wrong") == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "", "10.0.0.1"),
        (0, "192.0.2.1", "10.0.0.1"),  # no proxy: the client wrote it
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),  # all before the proxy's entry is the client's
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "192.0.2.1", "10.0.0.1"),  # the request didn't come through both
        (1, "", "10.0.0.1"),
        (1, "unknown", "10.0.0.1"),
        (1, "192.0.2.1:5678", "192.0.2.1"),
        (1, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "fe80::1%eth0", "fe80::"),
        (-1, "6.6.6.6", "10.0.0.1"),
    ],
)
def test_the_clients_address_is_the_one_our_proxies_saw(
    settings: Any, proxies: int, forwarded: str, expected: str
) -> None:
    settings.PROXY_COUNT = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1")
    assert client_ip(request) == expected


def test_a_unix_socket_has_no_address(settings: Any) -> None:
    settings.PROXY_COUNT = 0
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="")) is None


def test_no_single_client_reaches_an_accounts_limit() -> None:
    assert sign_in.OF_ADDRESS < sign_in.OF_ACCOUNT


def test_a_forgotten_number_of_proxies_is_reported_once(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Without it, everyone behind the proxy shares one limit."""
    settings.PROXY_COUNT = 0
    sign_in._warn_once.cache_clear()
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert client_ip(request) == client_ip(request) == "127.0.0.1"
    assert [record.name for record in caplog.records if "PROXY_COUNT" in record.getMessage()] == ["tenants.sign_in"]
