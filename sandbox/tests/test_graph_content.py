"""The Graph API stand-in enforces Meta's limits for every kind of message."""

from typing import Any

import pytest

from sandbox.tests.graph import read, send

pytestmark = pytest.mark.django_db


def button(title: str = "Yes", name: str = "yes") -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": name, "title": title}}


def buttons(*given: dict[str, Any], body: str = "Shall we?") -> dict[str, Any]:
    return {"type": "button", "body": {"text": body}, "action": {"buttons": list(given)}}


def rows(count: int, **changes: Any) -> dict[str, Any]:
    made = [{"id": str(n), "title": f"Row {n}"} | changes for n in range(count)]
    return {"type": "list", "body": {"text": "Which?"}, "action": {"button": "Choose", "sections": [{"rows": made}]}}


def template(name: str = "order_update", code: str = "en", parameters: int = 2) -> dict[str, Any]:
    texts = [{"type": "text", "text": str(n)} for n in range(parameters)]
    return {"name": name, "language": {"code": code}, "components": [{"type": "body", "parameters": texts}]}


TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("image", {"link": "https://example.com/cake.png", "caption": "A cake"}),
    ("document", {"link": "https://example.com/bill.pdf", "filename": "bill.pdf"}),
    ("audio", {"link": "https://example.com/a.ogg"}),
    ("location", {"latitude": 53.3, "longitude": -6.2}),
    ("reaction", {"message_id": "wamid.X", "emoji": ""}),
    ("interactive", buttons(button())),
    ("interactive", rows(10)),
    (
        "interactive",
        {"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}},
    ),
    ("template", template()),
    ("template", template("hello_world", "en_US", 0)),
]
REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("image", {}, 100),
    ("image", {"id": "1", "link": "https://example.com"}, 100),
    ("image", {"link": "ftp://example.com"}, 100),
    ("audio", {"link": "https://example.com", "caption": "x"}, 100),
    ("location", {"latitude": 91, "longitude": 0}, 100),
    ("interactive", {"type": "carousel_of_doom"}, 100),
    ("interactive", buttons(), 100),
    ("interactive", buttons(*[button(str(n), str(n)) for n in range(4)]), 100),
    ("interactive", buttons(button("x" * 21)), 100),
    ("interactive", buttons(button("A", "same"), button("B", "same")), 131009),
    ("interactive", buttons(button(), body="x" * 1025), 100),
    ("interactive", rows(11), 100),
    ("interactive", rows(1, title="x" * 25), 100),
    ("interactive", rows(1, description="x" * 73), 100),
    ("interactive", rows(2, id="same"), 131009),
    ("template", template("unknown"), 132001),
    ("template", template(code="fr"), 132001),
    ("template", template(parameters=1), 132000),
]


@pytest.mark.parametrize(("kind", "content"), TAKEN)
def test_it_accepts(kind: str, content: dict[str, Any]) -> None:
    changes: dict[str, Any] = {"type": kind, kind: content}
    response = send(**changes)
    assert response.status_code == 200, response.content


@pytest.mark.parametrize(("kind", "content", "code"), REFUSED)
def test_it_refuses(kind: str, content: dict[str, Any], code: int) -> None:
    changes: dict[str, Any] = {"type": kind, kind: content}
    response = send(**changes)
    assert response.json()["error"]["code"] == code
    assert response.status_code in (400, 404)


def test_it_lists_templates() -> None:
    found = read("102290129340398/message_templates?name=update").json()["data"]
    assert [(t["name"], t["status"]) for t in found] == [("order_update", "APPROVED")]
