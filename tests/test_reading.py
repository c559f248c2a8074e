"""Extracting customers' images and documents, and what the model gets of them."""

import base64
import io
import tempfile
from pathlib import Path
from typing import IO, Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as active
from PIL import Image

from assistant.files import documents, extraction, images
from assistant.models import Assistant, Turn
from conversations.files.attachments import Attachment
from conversations.models import ConversationMessage
from tenants.models import Tenant
from tests.media_at_meta import MediaAtMeta, picture
from tests.pdfs import pdf
from tests.stage import Stage
from whatsapp.tests.factories import inbound, message, text_message


@pytest.fixture
def meta(stage: Stage) -> MediaAtMeta:
    return stage.wire.media


def last_question(stage: Stage) -> Any:
    return stage.wire.asked[-1]["messages"][-1]["content"]


# --- pictures ---


def seen(stage: Stage) -> list[Any]:
    """The images in the last request, opened."""
    parts = [m["content"] for m in stage.wire.asked[-1]["messages"] if isinstance(m["content"], list)]
    urls = [part["image_url"]["url"] for content in parts for part in content if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


def test_a_model_that_sees_is_shown_the_picture_made_small(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), sees_images=True)
    stage.converse(inbound(message("image", {**meta.put(picture(3000, 1500), "image/jpeg"), "caption": "This one"})))
    assert [image.size for image in seen(stage)] == [(1024, 512)]
    assert last_question(stage)[0] == {"type": "text", "text": "[image] This one"}
    assert Turn.objects.get().state == "replied"


def test_a_text_model_learns_that_there_is_an_image(stage: Stage, meta: MediaAtMeta) -> None:
    stage.converse(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    assert last_question(stage) == "[image]\n(The image itself isn't included.)"


def test_only_the_last_three_pictures_are_shown(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), sees_images=True)
    stage.converse(inbound(*(message("image", meta.put(picture(10 + n, 10), "image/jpeg")) for n in range(5))))
    assert [image.size[0] for image in seen(stage)] == [12, 13, 14]


def test_a_picture_that_is_not_in_the_storage_any_more_spoils_nothing(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), sees_images=True)
    stage.converse(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    for file in Path(active.MEDIA_ROOT).rglob("*.jpg"):
        file.unlink()
    stage.converse(inbound(text_message("And?")))
    assert seen(stage) == []
    assert len(stage.wire.texts) == 2


def on_disk(data: bytes = b"") -> IO[bytes]:
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who asked for it
    file.write(data)
    file.seek(0)
    return file


@pytest.mark.parametrize("size", [(4096, 3072), (3072, 4096)])
@pytest.mark.parametrize("form", [{}, {"progressive": True}, {"progressive": True, "subsampling": 0}])
def test_a_typical_phone_photo_is_opened(size: tuple[int, int], form: dict[str, Any]) -> None:
    with on_disk() as file:
        Image.effect_noise(size, 60).convert("RGB").save(file, "JPEG", **form)
        file.seek(0)
        assert max(Image.open(io.BytesIO(images.shrink(file))).size) == 1024


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA", "1"])
def test_an_image_of_any_kind_becomes_a_small_jpeg(mode: str) -> None:
    with on_disk() as file:
        Image.new(mode, (2000, 10)).save(file, "PNG")
        file.seek(0)
        assert Image.open(io.BytesIO(images.shrink(file))).size == (1024, 5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: picture(6000, 6000, "PNG"), "too large: 6000 × 6000"),
        (lambda: clear(4400, 4400), "too large: 4400 × 4400"),
        (lambda: bomb(), "is damaged"),
        (lambda: picture()[:200], "is damaged"),
        (lambda: picture(500, 500, "PNG")[:400], "is damaged"),
        (lambda: b"GIF89a" + bytes(100), "is damaged"),
    ],
)
def test_an_image_that_is_too_large_or_damaged_is_not_opened(data: Any, reason: str) -> None:
    with on_disk(data()) as file, pytest.raises(images.BadPicture, match=reason):
        images.shrink(file)


def clear(width: int, height: int) -> bytes:
    """Needs twice the memory of its pixels: Pillow copies it to scale it down."""
    file = io.BytesIO()
    Image.new("RGBA", (width, height)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A few bytes that claim to be 60,000 × 60,000 pixels."""
    head = bytearray(picture(1, 1, "PNG"))
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(head)


def test_a_broken_picture_is_said_so_in_the_transcript_and_to_the_model(stage: Stage, meta: MediaAtMeta) -> None:
    Assistant.objects.create(tenant=Tenant.objects.single(), sees_images=True)
    stage.converse(inbound(message("image", meta.put(picture()[:200], "image/jpeg"))))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.preview.name) == ("ready", "")
    assert "The image is damaged" in attachment.error
    assert last_question(stage) == "[image]\n(The image itself isn't included.)"


def test_a_file_that_crashes_workers_is_given_up(stage: Stage, meta: MediaAtMeta) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    Attachment.objects.update(state="reading", fence=extraction.MAX_ATTEMPTS)
    async_to_sync(extraction.BACKLOG.run)(extraction.read_one)
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.preview.name) == ("ready", "")
    assert "every time" in attachment.error


# --- documents ---


@pytest.mark.parametrize(
    ("data", "mime_type", "text"),
    [
        (pdf("Invoice 17: two cakes"), "application/pdf", "Invoice 17: two cakes"),
        ("Öffnungszeiten: 9 bis 18".encode(), "text/plain", "Öffnungszeiten: 9 bis 18"),
        ("Öffnung".encode("cp1252"), "text/plain", "Öffnung"),
        (b"day,open\nMo,9\n", "text/csv", "day,open\nMo,9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_the_model_reads_a_document(stage: Stage, meta: MediaAtMeta, data: bytes, mime_type: str, text: str) -> None:
    stage.converse(inbound(message("document", {**meta.put(data, mime_type), "filename": "a"})))
    assert Attachment.objects.get().transcript == text
    assert last_question(stage) == f"[document] a\n(It says:)\n{text}"


def test_a_long_document_is_read_from_its_beginning(stage: Stage, meta: MediaAtMeta) -> None:
    stage.converse(inbound(message("document", meta.put(pdf(*["word " * 200] * 60), "application/pdf"))))
    assert 19_000 < len(Attachment.objects.get().transcript) <= documents.CHARACTERS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7\nnonsense", "is damaged"),
        (pdf(), "contains no text"),
        (pdf("Secret", password="x"), "protected by a password"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(stage: Stage, meta: MediaAtMeta, data: bytes, reason: str) -> None:
    stage.converse(inbound(message("document", meta.put(data, "application/pdf"))))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.transcript) == ("ready", "")
    assert reason in attachment.error
    assert last_question(stage) == "[document]"


def test_texts_of_old_documents_are_not_repeated(stage: Stage, meta: MediaAtMeta) -> None:
    for number in range(4):
        stage.converse(inbound(message("document", meta.put(b"text %d" % number, "text/plain"))))
    shown = [m["content"] for m in stage.wire.asked[-1]["messages"] if "[document]" in str(m["content"])]
    theirs = [content for content in shown if not content.startswith("Answer")]
    assert theirs[0] == "[document]\n(Its text was included earlier.)"
    assert ["(It says:)" in content for content in theirs] == [False, True, True, True]
    assert ConversationMessage.objects.filter(role="user").count() == 4
