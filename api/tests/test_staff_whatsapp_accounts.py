"""The admin API of the WhatsApp accounts."""

from typing import Any

import pytest
from django.test import Client

from api.tests.clients import staff_client
from conversations.models import Pause
from tenants.tests.people import TwoBusinesses
from whatsapp.models import WhatsAppAccount

pytestmark = pytest.mark.django_db

LIST = "/api/admin/whatsapp-accounts"
SECRETS = {"access_token": "EAAG-secret", "app_secret": "shhh-secret"}


def create(client: Client, tenant_id: int, number: str = "1001", **fields: Any) -> Any:
    data = {"tenant": tenant_id, "phone_number_id": number, **fields}
    return client.post(LIST, data, content_type="application/json")


def test_secrets_are_stored_and_never_returned(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["owner"])
    created = create(client, businesses.ours.pk, **SECRETS)
    assert created.status_code == 201
    url = f"{LIST}/{created.json()['id']}"
    changed = client.patch(url, {"waba_id": "7"}, content_type="application/json")
    for answer in (created, client.get(LIST), client.get(url), changed):
        assert "secret" not in answer.content.decode().replace("has_app_secret", "")
    assert (created.json()["has_access_token"], created.json()["has_app_secret"]) == (True, True)
    account = WhatsAppAccount.objects.get()
    assert (account.access_token, account.app_secret) == ("EAAG-secret", "shhh-secret")


def test_an_empty_secret_removes_it(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["owner"])
    url = f"{LIST}/{create(client, businesses.ours.pk, **SECRETS).json()['id']}"
    answer = client.patch(url, {"access_token": ""}, content_type="application/json")
    assert (answer.json()["has_access_token"], answer.json()["has_app_secret"]) == (False, True)


def test_put_keeps_secrets_that_are_left_out(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["owner"])
    url = f"{LIST}/{create(client, businesses.ours.pk, **SECRETS).json()['id']}"
    data = {"tenant": businesses.ours.pk, "phone_number_id": "1002"}
    answer = client.put(url, data, content_type="application/json")
    assert (answer.json()["phone_number_id"], answer.json()["has_access_token"]) == ("1002", True)


def test_a_new_access_token_ends_the_pause(businesses: TwoBusinesses) -> None:
    account = WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="1001")
    client, url = staff_client(businesses.people["owner"]), f"{LIST}/{account.pk}"
    Pause.objects.create(scope="number:1001", reason="Meta refused the token")
    client.patch(url, {"access_token": "EAAG-new"}, content_type="application/json")
    assert not Pause.objects.exists()


def test_accounts_of_another_business_are_not_found(businesses: TwoBusinesses) -> None:
    theirs = WhatsAppAccount.objects.create(tenant=businesses.theirs, phone_number_id="2002")
    client = staff_client(businesses.people["owner"])
    assert client.get(LIST).json()["results"] == []
    for method in ("get", "put", "patch", "delete"):
        assert getattr(client, method)(f"{LIST}/{theirs.pk}").status_code == 404
    refused = create(client, businesses.theirs.pk)
    assert refused.status_code == 400
    assert "no such object" in refused.json()["tenant"][0]
    assert WhatsAppAccount.objects.count() == 1


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_only_owners_can_write(businesses: TwoBusinesses, who: str) -> None:
    account = WhatsAppAccount.objects.create(tenant=businesses.ours, phone_number_id="1001")
    client = staff_client(businesses.people[who])
    assert client.get(f"{LIST}/{account.pk}").status_code == 200
    assert client.patch(f"{LIST}/{account.pk}", {}, content_type="application/json").status_code == 403
    assert client.delete(f"{LIST}/{account.pk}").status_code == 403
    assert create(client, businesses.ours.pk, "1002").status_code == 403


def test_users_without_a_business_and_non_staff_are_refused(businesses: TwoBusinesses) -> None:
    assert staff_client(businesses.people["nobody"]).get(LIST).status_code == 403
    businesses.people["owner"].is_staff = False
    businesses.people["owner"].save()
    assert staff_client(businesses.people["owner"]).get(LIST).status_code == 403


def test_errors_are_json(businesses: TwoBusinesses) -> None:
    client = staff_client(businesses.people["superuser"])
    assert create(client, businesses.ours.pk, "").json() == {"phone_number_id": ["Can't be empty."]}
    assert client.post(LIST, "{", content_type="application/json").status_code == 400
    assert client.get(f"{LIST}/999").json() == {
        "detail": "Not found. It doesn't exist, or it belongs to another business."
    }
