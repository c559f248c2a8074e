"""The admin API of the businesses, its schema and its documentation, and unknown URLs."""

import pytest
from django.test import Client

from api.tests.clients import staff_client
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

LIST = "/api/admin/tenants"


def test_a_superuser_can_list_create_update_and_delete(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["superuser"])
    data = {"name": "Third", "slug": "third"}
    created = client.post(LIST, data, content_type="application/json")
    assert created.status_code == 201
    url = f"{LIST}/{created.json()['id']}"
    assert client.patch(url, {"name": "3rd"}, content_type="application/json").json()["name"] == "3rd"
    assert client.put(url, data, content_type="application/json").json()["name"] == "Third"
    slugs = {"ours", "theirs", "third", Tenant.objects.single().slug}
    assert {row["slug"] for row in client.get(LIST).json()["results"]} == slugs
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404


def test_a_member_can_only_read_their_own_business(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["owner"])
    assert [row["slug"] for row in client.get(LIST).json()["results"]] == ["ours"]
    assert client.get(f"{LIST}/{businesses.theirs.pk}").status_code == 404
    url = f"{LIST}/{businesses.ours.pk}"
    assert client.patch(url, {"name": "x"}, content_type="application/json").status_code == 403
    assert client.delete(url).status_code == 403
    businesses.ours.refresh_from_db()
    assert businesses.ours.name == "Business ours"


def test_an_admin_token_is_required(businesses: TwoBusinesses) -> None:
    answer = Client().get(LIST)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.json()["detail"].startswith("No admin token provided.")
    # Sessions don't authenticate, so CSRF isn't possible.
    assert businesses.browser("superuser").get(LIST).status_code == 401
    assert Client(headers={"Authorization": "Token wrong"}).get(LIST).status_code == 401


def test_the_schema_contains_the_admin_api(businesses: TwoBusinesses) -> None:
    schema = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    assert {path for path in schema["paths"] if path.startswith("/api/admin/")} == {
        "/api/admin/tenants",
        "/api/admin/tenants/{id}",
        "/api/admin/whatsapp-accounts",
        "/api/admin/whatsapp-accounts/{id}",
    }


def test_the_documentation_loads_nothing_from_other_hosts() -> None:
    page = Client().get("/api/docs").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert "https://" not in page


@pytest.mark.parametrize("url", ["/api/", "/api/nothing", "/api/admin/tenants/", "/api/admin/nothing/1"])
def test_unknown_urls_get_404_as_json(url: str) -> None:
    for answer in (Client().get(url), Client().post(url)):
        assert answer.status_code == 404
        assert "Unknown URL" in answer.json()["detail"]
