"""Every endpoint, with invalid keys, with another business's rows and with read-only keys."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile

from api.tests.clients import ApiClient, Clients, endpoints
from conversations.files.attachments import Attachment
from conversations.tests.rows import conversation, message
from knowledge.models import Source
from leads.models import Lead
from tests.isolation_report import Report

# The methods of each endpoint: r(ead), w(rite). A new endpoint fails a test until it's listed here.
WITHOUT_ROW = {"key": "r", "conversations": "r", "leads": "r", "assistant": "rw", "usage": "r", "audit": "r"}
WITHOUT_ROW |= {"knowledge/sources": "rw", "knowledge/files": "w", "exports": "rw"}
OF_A_CONVERSATION = {
    "conversations/<int:pk>": "rw",
    "conversations/<int:pk>/messages": "rw",
    "conversations/<int:pk>/files": "w",
    "conversations/<int:pk>/templates": "r",
    "conversations/<int:pk>/take-over": "w",
    "conversations/<int:pk>/hand-back": "w",
}
OF_A_LEAD = {"leads/<int:pk>": "rw"}
OF_A_FILE = {"files/<int:pk>": "r"}
OF_A_SOURCE = {
    "knowledge/sources/<int:pk>": "rw",
    "knowledge/sources/<int:pk>/read-again": "w",
    "knowledge/sources/<int:pk>/chunks": "r",
}
OF_AN_EXPORT = {"exports/<int:pk>": "r", "export-parts/<int:pk>": "r"}
WITH_ROW = OF_A_CONVERSATION | OF_A_LEAD | OF_A_FILE | OF_A_SOURCE | OF_AN_EXPORT
PATCHED = {"assistant", "conversations/<int:pk>", "leads/<int:pk>", "knowledge/sources/<int:pk>"}
FORMS = {"conversations/<int:pk>/files", "knowledge/files"}
DATA: dict[str, Any] = {"kind": "question", "title": "Open?", "text": "Hello"}
DATA |= {"stage": "won", "instructions": "Obey.", "is_active": False}
ALL = WITHOUT_ROW | WITH_ROW

pytestmark = pytest.mark.usefixtures("meta")


@pytest.fixture(autouse=True)
def _a_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.API_FAILURE_LIMIT = 1_000


@pytest.fixture
def ids(clients: Clients) -> dict[str, dict[str, int]]:
    """For "ours" and "theirs": the ID of a row by the first part of its path."""
    found = {}
    for whose in ("ours", "theirs"):
        tenant = getattr(clients.businesses, whose)
        talk = conversation(tenant, contact_name=f"{whose}-customer")
        said = message(talk, f"{whose}-text", kind="document")
        file = Attachment.objects.create(message=said, kind="document", mime_type="text/plain", state="ready")
        file.file.save(f"{whose}.txt", ContentFile(f"{whose}-file".encode()))
        lead = Lead.objects.create(tenant=tenant, conversation=talk, name=f"{whose}-lead")
        source = Source.objects.create(tenant=tenant, kind="question", title=f"{whose}-question", text="Yes.")
        found[whose] = {"conversations": talk.pk, "leads": lead.pk, "files": file.pk}
        found[whose]["knowledge"] = source.pk
        export = apps.get_model("privacy", "Export").objects.create(tenant=tenant, expires_at=source.created_at)
        part = export.parts.create(number=1, size=0)
        part.file.save(f"{whose}.zip", ContentFile(f"{whose}-export".encode()))
        found[whose] |= {"exports": export.pk, "export-parts": part.pk}
    return found


def asked(client: ApiClient, route: str, ids: dict[str, int]) -> list[tuple[str, Any]]:
    """Send each request that the endpoint supports. Returns what was sent, and the responses."""
    address = route.replace("<int:pk>", str(ids.get(route.partition("/")[0], 0)))
    answers = []
    if "r" in ALL[route]:
        answers.append((f"GET {address}", client.get(address)))
    if "w" in ALL[route]:
        write = client.patch if route in PATCHED else client.send if route in FORMS else client.post
        data = {"file": ContentFile(b"%PDF-1.7", "bill.pdf")} if route in FORMS else DATA
        answers.append((f"write {address}", write(address, data)))
    return answers


@pytest.fixture
def walk(isolation_report: Report) -> Any:
    """`asked` for many endpoints. The results go into the report."""

    def walk(who: str, client: ApiClient, routes: Iterable[str], ids: dict[str, int]) -> Iterator[tuple[str, Any]]:
        met: Counter[str] = Counter()
        for route in routes:
            for what, answer in asked(client, route, ids):
                met[str(answer.status_code)] += 1
                yield what, answer
                for close_file in answer._resource_closers if answer.streaming else ():
                    close_file()
        refusals = sum(met[status] for status in ("401", "403", "404"))
        isolation_report(f"{who}, the API", len(list(routes)), refusals, met)

    return walk


def test_every_endpoint_is_in_a_table() -> None:
    assert endpoints() == set(ALL)


def test_clients_without_a_valid_key_get_401(clients: Clients, ids: dict[str, dict[str, int]], walk: Any) -> None:
    for number, stranger in enumerate(clients.strangers, start=1):
        for what, answer in walk(f"stranger {number}", stranger, ALL, ids["ours"]):
            assert answer.status_code == 401, what
            assert "ours-" not in answer.content.decode()


def test_a_read_only_key_cannot_write(clients: Clients, ids: dict[str, dict[str, int]], walk: Any) -> None:
    for what, answer in walk("key that reads", clients.reader, ALL, ids["ours"]):
        assert answer.status_code == (200 if what.startswith("GET") else 403), what


def test_a_read_and_write_key_can_do_both_in_its_own_business(
    clients: Clients, ids: dict[str, dict[str, int]], walk: Any
) -> None:
    for what, answer in walk("key that writes", clients.writer, ALL, ids["ours"]):
        assert answer.status_code in (200, 201), what
        assert b"theirs-" not in answer.getvalue(), what


def test_rows_of_another_business_are_not_found(clients: Clients, ids: dict[str, dict[str, int]], walk: Any) -> None:
    rows, nothing = WITH_ROW, dict.fromkeys(ids["theirs"], 999_999_999)
    foreign = list(walk("key, another business's rows", clients.writer, rows, ids["theirs"]))
    missing = list(walk("key, rows that are not", clients.writer, rows, nothing))
    for (what, answer), (_, same) in zip(foreign, missing, strict=True):
        assert (answer.status_code, answer.json()) == (404, same.json()), what
    theirs = Lead.objects.get(pk=ids["theirs"]["leads"])
    assert (theirs.stage, theirs.conversation.handled_by, theirs.conversation.is_active) == ("new", "assistant", True)
    assert theirs.conversation.messages.count() == 1
    assert Source.objects.get(pk=ids["theirs"]["knowledge"]).title == "theirs-question"


@pytest.mark.parametrize("pk", [0, 2**31, 2**63, 10**30])
def test_an_impossible_id_is_not_found(clients: Clients, pk: int) -> None:
    for route in WITH_ROW:
        found = {each.partition("/")[0] for each in WITH_ROW}
        ids = dict.fromkeys(found, pk)
        for what, answer in asked(clients.writer, route, ids):
            assert answer.status_code == 404, what
