"""The page and the API of exports: only owners, with progress, and downloads that can go on."""

import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from api.tests.clients import ApiClient, api_client
from conversations.tests.rows import conversation, message
from privacy.models import Export
from tenants.tests.people import TwoBusinesses
from tests.stage import Stage

LIST = "/admin/privacy/export/"


@pytest.fixture
def businesses(stage: Stage) -> TwoBusinesses:
    ProcrastinateJob.objects.all()._raw_delete("default")  # the table isn't emptied between tests
    found = TwoBusinesses()
    message(conversation(found.ours, "491", contact_name="Ann"), "Hello from Ann")
    message(conversation(found.ours, "492", contact_name="Ben"), "Hello from Ben")
    return found


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def texts(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())


def test_an_owner_exports_everything_and_downloads_it(stage: Stage, businesses: TwoBusinesses) -> None:
    owner = businesses.browser("owner")
    business = f"/admin/tenants/tenant/{businesses.ours.pk}/change/"
    add = f"{LIST}add/?tenant={businesses.ours.pk}"
    assert f'href="{add}"' in owner.get(business).content.decode()
    begun = owner.post(add, {"tenant": businesses.ours.pk, "person": ""}, follow=True)
    export = Export.objects.get()
    assert "Counting" in begun.content.decode()
    assert begun["Refresh"] == "3"
    stage.work()
    page = owner.get(f"{LIST}{export.pk}/change/")
    assert "Refresh" not in page
    part = f"{LIST}{export.pk}/parts/1/"
    assert f'href="{part}"' in page.content.decode()
    whole = body(owner.get(part))
    assert "Hello from Ann" in texts(whole)
    rest = owner.get(part, headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest["Content-Range"]) == (206, f"bytes 100-{len(whole) - 1}/{len(whole)}")
    assert whole[:100] + body(rest) == whole


def test_the_page_shows_how_far_it_is(businesses: TwoBusinesses) -> None:
    export = Export.objects.create(
        tenant=businesses.ours, done=1500, total=3000, error="OSError: The disk is full", expires_at="2100-01-01T00:00Z"
    )
    page = businesses.browser("owner").get(f"{LIST}{export.pk}/change/").content.decode()
    assert 'max="100" value="50"' in page
    assert "1,500 of 3,000 rows and files" in page
    assert "tried again every minute: OSError: The disk is full" in page


def test_an_owner_exports_one_person_from_their_conversation(stage: Stage, businesses: TwoBusinesses) -> None:
    owner = businesses.browser("owner")
    talk = businesses.ours.conversations.get(external_id="491")
    page = owner.get(f"/admin/conversations/conversation/{talk.pk}/change/").content.decode()
    add = f"{LIST}add/?tenant={businesses.ours.pk}&amp;person=491"
    assert f'href="{add}"' in page
    assert 'value="491"' in owner.get(add.replace("&amp;", "&")).content.decode()
    owner.post(f"{LIST}add/", {"tenant": businesses.ours.pk, "person": "+49 1"})
    stage.work()
    data = texts(body(owner.get(f"{LIST}{Export.objects.get().pk}/parts/1/")))
    assert "Hello from Ann" in data
    assert "Hello from Ben" not in data


def test_someone_unknown_is_refused(businesses: TwoBusinesses) -> None:
    answer = businesses.browser("owner").post(f"{LIST}add/", {"tenant": businesses.ours.pk, "person": "777"})
    assert "has no conversation with 777" in answer.content.decode()
    assert not Export.objects.exists()


@pytest.mark.parametrize("who", ["viewer", "operator", "stranger", "nobody"])
def test_nobody_else_can_export_or_download(stage: Stage, businesses: TwoBusinesses, who: str) -> None:
    owner, other = businesses.browser("owner"), businesses.browser(who)
    other.post(f"{LIST}add/", {"tenant": businesses.ours.pk, "person": ""})
    assert not Export.objects.exists()
    owner.post(f"{LIST}add/", {"tenant": businesses.ours.pk, "person": ""})
    stage.work()
    part = f"{LIST}{Export.objects.get().pk}/parts/1/"
    assert other.get(part).status_code in (302, 403, 404)
    assert Client().get(part).status_code == 302
    talk = businesses.ours.conversations.get(external_id="491")
    for page in (f"conversations/conversation/{talk.pk}", f"tenants/tenant/{businesses.ours.pk}"):
        assert "privacy/export/add" not in other.get(f"/admin/{page}/change/").content.decode()


def test_the_api_exports_a_person_and_everything(stage: Stage, businesses: TwoBusinesses) -> None:
    client = api_client(businesses.ours, businesses.people["owner"])
    asked = client.post("exports", {"person": "491"})
    assert asked.status_code == 201
    assert asked.json()["parts"] == []
    assert client.post("exports", {"person": "491"}).json()["id"] == asked.json()["id"]
    everything = client.post("exports")
    assert everything.json()["conversations"] is None
    stage.work()
    found = client.get(f"exports/{asked.json()['id']}").json()
    assert found["done"] == found["total"]
    assert found["finished_at"]
    (part,) = found["parts"]
    assert part["url"] == f"http://testserver/api/export-parts/{part['id']}"
    answer = client.get(f"export-parts/{part['id']}")
    assert answer["Content-Type"] == "application/zip"
    assert "Hello from Ann" in texts(body(answer))
    assert len(client.get("exports").json()["results"]) == 2


def test_the_api_is_for_keys_of_owners(stage: Stage, businesses: TwoBusinesses) -> None:
    owner = api_client(businesses.ours, businesses.people["owner"])
    export = owner.post("exports").json()["id"]
    stage.work()
    part = owner.get(f"exports/{export}").json()["parts"][0]["id"]
    paths = ["exports", f"exports/{export}", f"export-parts/{part}"]
    operator: ApiClient = api_client(businesses.ours, businesses.people["operator"])
    assert {operator.get(path).status_code for path in paths} == {403}
    assert operator.post("exports").status_code == 403
    reader = api_client(businesses.ours, businesses.people["owner"], "read")
    assert reader.post("exports").status_code == 403
    assert owner.post("exports", {"person": "777"}).status_code == 400
