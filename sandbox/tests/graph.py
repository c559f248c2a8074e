"""Requests to the Graph API stand-in, for tests."""

from typing import Any

from django.test import Client

NUMBER = "100000000000001"
PERSON = "15551234567"
BSUID = "US.13491208655302741918"


def send(body: Any = None, *, token: str = "any", number: str = NUMBER, **changes: Any) -> Any:
    """POST a text to /messages, with changes. Returns the response."""
    if body is None:
        body = {
            "messaging_product": "whatsapp",
            "to": PERSON,
            "type": "text",
            "text": {"body": "Hello"},
            **changes,
        }
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client().post(
        f"/sandbox/graph/v24.0/{number}/messages", body, content_type="application/json", headers=headers
    )


def read(path: str, token: str = "any") -> Any:
    return Client().get(f"/sandbox/graph/v24.0/{path}", headers={"Authorization": f"Bearer {token}"})
