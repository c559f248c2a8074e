"""Customers' files through the sandbox, over real HTTP between real processes, in good and bad weather."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media_at_meta import OGG, picture
from tests.pdfs import pdf

from . import postgres
from .sandboxed import Sandboxed
from .wire import Json
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("media weather")]
PERSON = "15551230002"
MB = 1024 * 1024
_numbers = itertools.count(710_000_000_000)


@pytest.fixture(scope="module")
def sandboxed(server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    folder = Path(tmp_path_factory.mktemp("media"))
    one = Sandboxed(World(server.create(), folder, MEDIA_FOLDER=folder / "media", MEDIA_SECONDS=20))
    yield one
    one.close()


@pytest.fixture
def number(sandboxed: Sandboxed) -> Iterator[str]:
    yield str(next(_numbers))
    sandboxed.weather()


def send(sandboxed: Sandboxed, number: str, kind: str, data: bytes, mime_type: str, **more: Any) -> None:
    """A customer sends a file with the phone."""
    query: dict[str, Any] = {name: more.pop(name) for name in ("filename", "spoken") if name in more}
    headers = {"Content-Type": "application/octet-stream", "X-File-Type": mime_type}
    upload = sandboxed.http.post(f"/phone/{number}/files", params=query, content=data, headers=headers, timeout=120)
    body = {"kind": kind, "media_id": upload.json()["media_id"], **more}
    assert sandboxed.http.post(f"/phone/{number}/{PERSON}/messages", json=body).json()["wamid"]


def settled(sandboxed: Sandboxed, number: str, seconds: float = 60) -> Json:
    """The attachment, once it's finished."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        rows = sandboxed.world.rows(
            "SELECT a.* FROM attachments a JOIN conversation_messages m ON m.id = a.message_id "
            "JOIN conversations c ON c.id = m.conversation_id WHERE c.phone_number_id = %s",
            number,
        )
        if rows and rows[0]["state"] in ("ready", "failed"):
            return rows[0]
        time.sleep(0.2)
    raise AssertionError(f"the file of {number} is not settled: {rows}")


def weather(sandboxed: Sandboxed, number: str, kind: str, **params: Any) -> None:
    sandboxed.weather({"area": "media", "kind": kind, "phone_number_id": number, **params})


def test_a_voice_note_is_transcribed_and_answered(sandboxed: Sandboxed, number: str) -> None:
    note = OGG + number.encode()
    send(sandboxed, number, "audio", note, "audio/ogg", voice=True, spoken="Two cakes for Sunday, please.")
    sandboxed.wait_for_status(number, "delivered")
    assert settled(sandboxed, number)["transcript"] == "Two cakes for Sunday, please."
    assert "Two cakes for Sunday" in str(sandboxed.log("model", "Two cakes for Sunday")[-1]["body"])


def test_a_picture_and_a_document_arrive(sandboxed: Sandboxed, number: str) -> None:
    send(sandboxed, number, "image", picture(1600, 1200), "image/jpeg", caption="This one")
    assert (settled(sandboxed, number)["state"], settled(sandboxed, number)["error"]) == ("ready", "")
    other = str(next(_numbers))
    send(sandboxed, other, "document", pdf("Invoice 17"), "application/pdf", filename="../../invoice.pdf")
    assert settled(sandboxed, other)["transcript"] == "Invoice 17"


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("expired", {"times": 1}),
        ("html", {"times": 1}),
        ("wrong_sha256", {"times": 1}),
        ("error", {"times": 1, "code": 131000}),
        ("error", {"times": 1, "code": 4}),
        ("slow", {"times": 1, "seconds": 2}),
    ],
)
def test_weather_that_passes_costs_only_time(
    sandboxed: Sandboxed, number: str, kind: str, params: dict[str, Any]
) -> None:
    weather(sandboxed, number, kind, **params)
    send(sandboxed, number, "image", picture(), "image/jpeg")
    assert settled(sandboxed, number)["state"] == "ready"
    sandboxed.wait_for_status(number, "delivered")


@pytest.mark.parametrize(
    ("kind", "params", "reason"),
    [
        ("wrong_sha256", {}, "the one that Meta announced"),
        ("html", {}, "the one that Meta announced"),
        ("redirect", {"to": "http://10.0.0.1/"}, "Not downloaded"),
        ("redirect", {"to": "http://169.254.169.254/latest/meta-data"}, "Not downloaded"),
        ("redirect", {"to": "https://example.org/a.jpg"}, "Not downloaded"),
        ("error", {"code": 100}, "no longer has the file"),
    ],
)
def test_lasting_bad_weather_is_reported_and_the_customer_is_answered(
    sandboxed: Sandboxed, number: str, kind: str, params: dict[str, Any], reason: str
) -> None:
    weather(sandboxed, number, kind, **params)
    send(sandboxed, number, "image", picture(), "image/jpeg")
    attachment = settled(sandboxed, number)
    assert attachment["state"] == "failed"
    assert reason in attachment["error"]
    sandboxed.wait_for_status(number, "delivered")


def test_everything_that_can_be_sent_passes_the_stand_ins_checks_and_arrives(sandboxed: Sandboxed, number: str) -> None:
    sandboxed.say(number, PERSON, "Hello")
    sandboxed.wait_for_status(number, "delivered")
    sandboxed.world.run(SEND_ALL.format(number=number))
    sandboxed.wait_for_status(number, *["delivered"] * 8)
    kinds = [entry["body"]["type"] for entry in sandboxed.sends(number)]
    assert kinds == ["text", "interactive", "interactive", "interactive", "image", "document", "audio", "template"]


SEND_ALL = """
from django.core.files.base import ContentFile
from conversations.files import uploads
from conversations.outbox import queue as outbox
from conversations.outbox.contents import Button, Buttons, FileLink, ListMessage, LocationRequest
from conversations.outbox.contents import Parameter, Row, Template
from conversations.models import Conversation
from tests.media_at_meta import OGG, PDF
talk = Conversation.objects.get(phone_number_id="{number}")
for content in (
    Buttons("Which day?", (Button("mo", "Monday"), Button("tu", "Tuesday"))),
    ListMessage("Which cake?", "Cakes", (Row("a", "Apple"), Row("b", "Plum", "with cinnamon"))),
    LocationRequest("Where are you?"),
    FileLink("image", "https://files.example/cake.jpg", "A cake"),
    uploads.keep(ContentFile(PDF, "bill.pdf"), "Your bill"),
    uploads.keep(ContentFile(OGG, "hello.ogg")),
    Template("order_update", "en", (Parameter("Ann"), Parameter("17"))),
):
    outbox.send_message(talk, content)
"""


def test_files_that_are_too_large_or_mislabelled_are_not_kept(sandboxed: Sandboxed, number: str) -> None:
    send(sandboxed, number, "audio", OGG + bytes(17 * MB), "audio/ogg", voice=True)
    assert settled(sandboxed, number)["error"] == "The file is larger than 16 MB."
    other = str(next(_numbers))
    send(sandboxed, other, "image", b"<html><script>alert(1)</script>", "image/jpeg")
    assert settled(sandboxed, other)["error"] == "The file isn't the image it claims to be."
