"""What the assistant knows, through the API."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from api.tests.clients import Clients
from knowledge.models import Chunk, Source
from tenants.models import Membership

QUESTION = {"kind": "question", "title": " Do you  deliver? ", "text": "Yes.\r\nOn Fridays."}


@pytest.fixture(autouse=True)
def _a_folder(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def created(clients: Clients, **fields: Any) -> Any:
    answer = clients.writer.post("knowledge/sources", fields or QUESTION)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_question_is_created_and_known_at_once(clients: Clients) -> None:
    source = created(clients)
    assert (source["title"], source["text"], source["state"]) == ("Do you deliver?", "Yes.\nOn Fridays.", "ready")
    assert clients.reader.get(f"knowledge/sources/{source['id']}").json() == source
    chunks = clients.reader.get(f"knowledge/sources/{source['id']}/chunks").json()["results"]
    assert [(chunk["position"], chunk["text"]) for chunk in chunks] == [(0, "Yes.\nOn Fridays.")]


def test_the_list_is_filtered_and_has_no_texts(clients: Clients) -> None:
    created(clients)
    created(clients, kind="page", url="shop.test/prices", repeat_days=7)
    listed = clients.reader.get("knowledge/sources").json()["results"]
    assert [(row["kind"], row["url"]) for row in listed] == [("page", "https://shop.test/prices"), ("question", "")]
    assert "text" not in listed[0]
    assert len(clients.reader.get("knowledge/sources", state="waiting").json()["results"]) == 1
    assert len(clients.reader.get("knowledge/sources", title="Do you deliver?").json()["results"]) == 1
    assert clients.reader.get("knowledge/sources", sitemap=7).json()["results"] == []
    assert clients.theirs.get("knowledge/sources").json()["results"] == []


def test_a_changed_answer_is_known_at_once(clients: Clients) -> None:
    source = created(clients)
    answer = clients.writer.patch(f"knowledge/sources/{source['id']}", {"text": "No.", "enabled": False})
    assert (answer.json()["text"], answer.json()["enabled"], answer.json()["title"]) == (
        "No.",
        False,
        "Do you deliver?",
    )
    assert Chunk.objects.get().text == "No."


def test_a_source_is_deleted(clients: Clients) -> None:
    source = created(clients)
    assert clients.reader.client.delete(f"/api/knowledge/sources/{source['id']}").status_code == 401
    for client, status in ((clients.reader, 403), (clients.theirs, 404), (clients.writer, 204), (clients.writer, 404)):
        headers = {"Authorization": f"Bearer {client.token}"}
        assert client.client.delete(f"/api/knowledge/sources/{source['id']}", headers=headers).status_code == status
    assert not Chunk.objects.exists()


def test_a_file_is_uploaded_once(clients: Clients, settings: Any) -> None:
    for replayed in (None, "true"):
        form = {"file": ContentFile(b"Apple: 24.00", "prices.md"), "public_url": "https://shop.test/prices"}
        answer = clients.writer.send("knowledge/files", form, **{"Idempotency-Key": "prices"})
        assert answer.status_code == 201, answer.content
        assert answer.headers.get("Idempotent-Replayed") == replayed
    source = Source.objects.get()
    assert (source.kind, source.title, source.filename, source.state) == ("file", "prices", "prices.md", "waiting")
    assert len([*Path(settings.MEDIA_ROOT).rglob("*.md")]) == 1


def test_reading_again_is_asked_for(clients: Clients) -> None:
    source = created(clients, kind="page", url="https://shop.test/")
    Source.objects.update(state="failed", error="Gone.", next_attempt_at=None)
    answer = clients.writer.post(f"knowledge/sources/{source['id']}/read-again").json()
    assert (answer["state"], answer["error"]) == ("waiting", "")
    assert Source.objects.get().next_attempt_at


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "kind"),
        ({"kind": "file"}, "kind"),
        ({"kind": "question", "title": "Open?"}, "text"),
        ({"kind": "question", "text": "Yes."}, "title"),
        ({"kind": "question", "title": "Open?", "text": "x" * 4_001}, "text"),
        ({"kind": "question", "title": "Open?", "text": "a", "url": "https://shop.test/"}, "url"),
        ({"kind": "question", "title": "\u0000", "text": "a"}, "title"),
        ({"kind": "page"}, "url"),
        ({"kind": "page", "url": "https://127.0.0.1/"}, "url"),
        ({"kind": "page", "url": "https://shop.test/", "text": "a"}, "text"),
        ({"kind": "page", "url": "https://shop.test/", "repeat_days": 366}, "repeat_days"),
        ({"kind": "text", "title": "a", "text": "b", "public_url": "javascript:x"}, "public_url"),
    ],
)
def test_what_cannot_be_created_says_why(clients: Clients, fields: dict[str, Any], name: str) -> None:
    answer = clients.writer.post("knowledge/sources", fields)
    assert answer.status_code == 400
    assert name in answer.json(), answer.json()
    assert not Source.objects.exists()


def test_the_kind_and_the_text_of_a_file_cannot_be_changed(clients: Clients) -> None:
    source = created(clients)
    assert clients.writer.patch(f"knowledge/sources/{source['id']}", {"kind": "text"}).status_code == 400
    Source.objects.update(kind="file", text="Read.")
    assert clients.writer.patch(f"knowledge/sources/{source['id']}", {"text": "Mine."}).status_code == 400
    assert clients.writer.patch(f"knowledge/sources/{source['id']}", {"title": "Mine"}).json()["text"] == "Read."


def test_too_much_is_refused(clients: Clients, settings: Any) -> None:
    settings.KNOWLEDGE_MAX_CHUNKS = 0
    answer = clients.writer.post("knowledge/sources", QUESTION)
    assert answer.status_code == 400
    assert "0 chunks" in answer.json()["text"][0]
    assert not Source.objects.exists()


def test_a_viewer_reads_only(clients: Clients) -> None:
    source = created(clients)
    Membership.objects.filter(user=clients.owner).update(role="viewer")
    assert clients.writer.get(f"knowledge/sources/{source['id']}").status_code == 200
    assert clients.writer.post("knowledge/sources", QUESTION).status_code == 403
