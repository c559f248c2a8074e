"""Headers of every page: what a browser lets it do."""

import pytest
from django.test import Client

from config.web.headers import UNFOLD_PAGES
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db
EVERYWHERE = [
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "default-src 'self'",
    "form-action 'self'",
]


def directives(response: object) -> list[str]:
    return [each.strip() for each in response["Content-Security-Policy"].split(";")]  # type: ignore[index]


@pytest.mark.parametrize(
    "path", ["/api/docs", "/api/schema", "/api/key", "/sandbox/", "/healthz", "/no/such/page", "/"]
)
def test_our_own_pages_run_no_inline_code(client: Client, path: str) -> None:
    policy = directives(client.get(path))
    assert set(EVERYWHERE) <= set(policy)
    assert "unsafe" not in "".join(policy)


@pytest.mark.parametrize("path", ["/admin/", "/admin/leads/lead/", "/admin/login/", "/invitation/x/"])
def test_pages_of_unfold_run_no_inline_scripts(businesses: TwoBusinesses, path: str) -> None:
    policy = directives(businesses.browser("owner").get(path))
    assert set(EVERYWHERE) <= set(policy)
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert path.startswith(UNFOLD_PAGES)


def test_the_documentation_of_the_api_has_a_nonce_of_its_own(client: Client) -> None:
    first, second = client.get("/api/docs"), client.get("/api/docs")
    nonces = [response["Content-Security-Policy"].split("'nonce-")[1].split("'")[0] for response in (first, second)]
    assert nonces[0] != nonces[1]
    assert f'<script nonce="{nonces[0]}">' in first.content.decode()


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs", "/healthz"])
def test_no_page_may_use_the_camera_or_the_microphone(client: Client, path: str) -> None:
    policy = client.get(path)["Permissions-Policy"]
    assert all(f"{feature}=()" in policy for feature in ("camera", "microphone", "geolocation"))
