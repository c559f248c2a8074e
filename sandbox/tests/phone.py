"""What a customer does on the phone, for tests."""

from typing import Any

from django.test import Client

from sandbox.tests.graph import NUMBER, PERSON


def do(kind: str, *, person: str = PERSON, **given: Any) -> str:
    """The wamid of the gesture."""
    response = Client().post(
        f"/sandbox/phone/{NUMBER}/{person}/messages", {"kind": kind, **given}, content_type="application/json"
    )
    assert response.status_code == 200, response.content
    wamid: str = response.json()["wamid"]
    return wamid


def chat(person: str = PERSON) -> Any:
    return Client().get(f"/sandbox/phone/{NUMBER}/{person}").json()


def see(person: str = PERSON) -> Any:
    return Client().post(f"/sandbox/phone/{NUMBER}/{person}/seen", {}, content_type="application/json").json()


def upload(data: bytes, mime_type: str, filename: str = "") -> str:
    response = Client().post(
        f"/sandbox/phone/{NUMBER}/files?filename={filename}",
        data,
        content_type="application/octet-stream",
        headers={"X-File-Type": mime_type},
    )
    media_id: str = response.json()["media_id"]
    return media_id


def set_weather(*rules: dict[str, Any]) -> None:
    response = Client().put("/sandbox/weather", {"rules": list(rules)}, content_type="application/json")
    assert response.status_code == 200, response.content
