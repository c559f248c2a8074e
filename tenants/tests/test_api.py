"""The admin API of the businesses, its description, and what is not there."""

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

LIST = "/api/admin/tenants"


def program(businesses: TwoBusinesses, who: str) -> Client:
    key = Token.objects.get_or_create(user=businesses.people[who])[0].key
    return Client(headers={"Authorization": f"Token {key}"})


def test_lists_creates_changes_and_deletes(businesses: TwoBusinesses) -> None:
    client = program(businesses, "superuser")
    data = {"name": "Third", "slug": "third"}
    created = client.post(LIST, data, content_type="application/json")
    assert created.status_code == 201
    address = f"{LIST}/{created.json()['id']}"
    assert client.patch(address, {"name": "3rd"}, content_type="application/json").json()["name"] == "3rd"
    assert client.put(address, data, content_type="application/json").json()["name"] == "Third"
    assert len(client.get(LIST).json()["results"]) == 3
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_shows_a_member_the_own_business_to_read(businesses: TwoBusinesses) -> None:
    client = program(businesses, "owner")
    assert [row["slug"] for row in client.get(LIST).json()["results"]] == ["ours"]
    assert client.get(f"{LIST}/{businesses.theirs.pk}").status_code == 404
    address = f"{LIST}/{businesses.ours.pk}"
    assert client.patch(address, {"name": "x"}, content_type="application/json").status_code == 403
    assert client.delete(address).status_code == 403
    assert Tenant.objects.count() == 2


def test_asks_for_a_key(businesses: TwoBusinesses) -> None:
    answer = Client().get(LIST)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.json() == {"detail": "Authentication credentials were not provided."}
    # A session of the admin is no key: nothing for a forged form to ride on.
    assert businesses.browser("superuser").get(LIST).status_code == 401
    assert Client(headers={"Authorization": "Token wrong"}).get(LIST).status_code == 401


def test_describes_itself(businesses: TwoBusinesses) -> None:
    schema = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    assert {path for path in schema["paths"] if path.startswith("/api/admin/")} == {
        "/api/admin/tenants",
        "/api/admin/tenants/{id}",
        "/api/admin/whatsapp-accounts",
        "/api/admin/whatsapp-accounts/{id}",
    }


def test_the_page_of_the_api_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert "https://" not in page


@pytest.mark.parametrize("address", ["/api/", "/api/nothing", "/api/admin/tenants/", "/api/admin/nothing/1"])
def test_answers_unknown_addresses_in_json(address: str) -> None:
    for answer in (Client().get(address), Client().post(address)):
        assert answer.status_code == 404
        assert "Unknown URL" in answer.json()["detail"]
