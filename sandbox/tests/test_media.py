"""Files on the stand-in: upload, lookup by ID, and download with the token for five minutes."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from sandbox.models import PhoneNumber
from sandbox.tests.graph import NUMBER, read, send
from sandbox.tests.phone import set_weather

pytestmark = pytest.mark.django_db
TOKEN = {"Authorization": "Bearer any"}


def uploaded(data: bytes = b"pixels", mime_type: str = "image/png", **fields: Any) -> Any:
    file = SimpleUploadedFile("cake.png", data, mime_type)
    body = {"messaging_product": "whatsapp", "file": file, "type": mime_type} | fields
    return Client().post(f"/sandbox/graph/v24.0/{NUMBER}/media", body, headers=TOKEN)


def fetched(url: str, token: str = "any") -> Any:
    return Client().get(url.removeprefix("http://testserver"), headers={"Authorization": f"Bearer {token}"})


def test_it_stores_and_returns_a_file() -> None:
    media_id = uploaded().json()["id"]
    found = read(media_id).json()
    assert found == {
        "messaging_product": "whatsapp",
        "url": found["url"],
        "mime_type": "image/png",
        "sha256": hashlib.sha256(b"pixels").hexdigest(),
        "file_size": 6,
        "id": media_id,
    }
    response = fetched(found["url"])
    assert (response.content, response["Content-Type"]) == (b"pixels", "image/png")
    assert send(type="image", image={"id": media_id, "caption": "A cake"}).status_code == 200
    assert Client().delete(f"/sandbox/graph/v24.0/{media_id}", headers=TOKEN).json() == {"success": True}
    assert fetched(found["url"]).status_code == 404


def test_it_serves_files_only_with_the_token_and_for_five_minutes() -> None:
    media_id = uploaded().json()["id"]
    url = read(media_id).json()["url"]
    assert Client().get(url).status_code == 401
    assert fetched(url.replace("oe=", "oe=x")).status_code == 403
    with mock.patch(
        "django.core.signing.time.time", return_value=(datetime.now(UTC) + timedelta(minutes=6)).timestamp()
    ):
        assert fetched(url).status_code == 403
    number = PhoneNumber.known_as(NUMBER)
    number.access_token = "right"
    number.save(update_fields=["access_token"])
    assert fetched(url, "wrong").status_code == 401
    assert fetched(url, "right").status_code == 200


def test_it_refuses_files_meta_refuses() -> None:
    assert uploaded(mime_type="text/html").json()["error"]["code"] == 100
    assert uploaded(messaging_product="").json()["error"]["code"] == 100
    assert uploaded(b"x" * (5 * 1024 * 1024 + 1)).json()["error"]["code"] == 131053
    assert send(type="image", image={"id": "17"}).json()["error"]["code"] == 100


def test_it_injects_faults_into_files() -> None:
    media_id = uploaded().json()["id"]
    set_weather({"area": "media", "kind": "wrong_sha256", "times": 1})
    assert read(media_id).json()["sha256"] != hashlib.sha256(b"pixels").hexdigest()
    url = read(media_id).json()["url"]
    set_weather({"area": "media", "kind": "expired", "times": 1})
    assert fetched(url).status_code == 403
    set_weather({"area": "media", "kind": "redirect", "times": 1, "to": "http://10.0.0.1/"})
    assert fetched(url)["Location"] == "http://10.0.0.1/"
    set_weather({"area": "media", "kind": "html", "times": 1})
    page = fetched(url)
    assert (page.content[:6], page["Content-Type"]) == (b"<html>", "image/png")
    set_weather({"area": "media", "kind": "error", "code": 131000})
    assert read(media_id).json()["error"]["code"] == 131000
