"""Documents in both directions: a customer's is always kept; ours is refused before it's queued, if need be."""

import gzip
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from conversations.files import uploads
from conversations.files.attachments import Attachment
from conversations.files.file_types import real_type
from conversations.models import ConversationMessage
from conversations.outbox.contents import FileLink
from conversations.tests.rows import conversation
from tenants.tests.people import TwoBusinesses
from tests.media_at_meta import OGG, PDF, picture
from tests.stage import Stage
from whatsapp.tests.factories import inbound, message

OFFICE = "application/vnd.openxmlformats-officedocument."
XLSX, DOCX = OFFICE + "spreadsheetml.sheet", OFFICE + "wordprocessingml.document"
XLS, DOC = "application/vnd.ms-excel", "application/msword"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
HTML = b"<html><table><tr><td>1</td></tr></table></html>"
XML = b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>'
RTF = rb"{\rtf1\ansi Hello}"
EXE = b"MZ\x90\x00" + bytes(60)
RAR, TIFF = b"Rar!\x1a\x07\x01\x00" + bytes(60), b"II*\x00" + bytes(60)
HEIC, AVIF = b"\0\0\0\x18ftypheic" + bytes(60), b"\0\0\0\x18ftypavif" + bytes(60)
MOV, MP4 = b"\0\0\0\x14ftypqt  " + bytes(60), b"\0\0\0\x18ftypmp42" + bytes(60)
WEBM, AVI = b"\x1a\x45\xdf\xa3" + bytes(60), b"RIFF\0\0\0\0AVI " + bytes(60)
WAV, FLAC = b"RIFF\0\0\0\0WAVE" + bytes(60), b"fLaC" + bytes(60)
VORBIS = b"OggS\x00\x02" + bytes(22) + b"\x01\x1e\x01vorbis" + bytes(60)
CSV = "name;town\nÖzil;Köln\n"


def zipped(name: str = "xl/workbook.xml") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "<x/>")
    return file.getvalue()


DOCUMENTS: list[tuple[str, bytes, str, str]] = [  # name, content, claimed type, type that we note
    ("prices.csv", CSV.encode(), XLS, "text/plain"),
    ("prices.csv", CSV.encode("latin-1"), "text/csv", "text/plain"),
    ("prices.csv", CSV.encode(), "text/comma-separated-values; charset=utf-8", "text/plain"),
    ("notes.md", b"# Notes", "text/markdown", "text/plain"),
    ("protected.xlsx", OLE, XLSX, XLSX),
    ("protected.docx", OLE, DOCX, DOCX),
    ("prices.xlsx", zipped(), XLSX, XLSX),
    ("prices.xls", HTML, XLS, "text/html"),
    ("prices.xls", XML, XLS, "text/plain"),
    ("letter.doc", RTF, DOC, "application/rtf"),
    ("letter.doc", zipped("word/document.xml"), DOC, DOC),
    ("letter.pages", zipped("Index/Document.iwa"), "application/vnd.apple.pages", "application/vnd.apple.pages"),
    ("scan.pdf", b"\n\r\n " + PDF, "application/pdf", "application/pdf"),
    ("scan.pdf", b"\xef\xbb\xbf" + PDF, "application/pdf", "application/pdf"),
    ("scan.pdf", b"@PJL SET\n" + PDF, "application/pdf", "application/pdf"),
    ("scan.pdf", HTML, "application/pdf", "text/html"),
    ("scan.pdf", zipped(), "application/pdf", "application/zip"),
    ("photo.heic", HEIC, "image/heic", "image/heic"),
    ("photo.tiff", TIFF, "image/tiff", "image/tiff"),
    ("photo.jpg", picture(), "image/jpeg", "image/jpeg"),
    ("photo.jpg", HTML, "image/jpeg", "text/html"),
    ("drawing.svg", b"<svg onload='alert(1)'/>", "image/svg+xml", "text/html"),
    ("page.html", HTML, "text/html", "text/html"),
    ("film.mov", MOV, "video/quicktime", "video/quicktime"),
    ("film.mkv", bytes(100), "video/x-matroska", "application/octet-stream"),
    ("album.rar", RAR, "application/vnd.rar", "application/x-rar"),
    ("all.zip", zipped(), "application/zip", "application/zip"),
    ("app.apk", zipped("classes.dex"), "application/vnd.android.package-archive",
     "application/vnd.android.package-archive"),
    ("setup.exe", EXE, "application/x-msdownload", "application/x-executable"),
    ("prices.xls", EXE, XLS, "application/x-executable"),
    ("odd", bytes(range(256)), "x" * 500, "application/octet-stream"),
    ("odd", bytes(range(256)), "text/html\r\nX: y", "application/octet-stream"),
    ("odd", bytes(range(256)), "application/xhtml+xml", "application/octet-stream"),
    ("empty", b"", "application/pdf", "application/octet-stream"),
]  # fmt: skip


def test_a_customers_document_is_always_kept_and_only_downloaded(stage: Stage, admin_client: Any) -> None:
    contents = [{**stage.wire.media.put(data, claimed), "filename": name} for name, data, claimed, _ in DOCUMENTS]
    stage.converse(inbound(*(message("document", content) for content in contents)))
    files = list(Attachment.objects.order_by("message_id"))
    assert [(file.state, file.mime_type) for file in files] == [("ready", noted) for *_, noted in DOCUMENTS]
    for file, (_, data, *_) in zip(files, DOCUMENTS, strict=True):
        url = f"/admin/conversations/conversation/{file.message.conversation_id}/attachments/{file.pk}/"
        response = admin_client.get(url)
        assert b"".join(response.streaming_content) == data
        is_shown = file.mime_type == "image/jpeg"
        assert response["Content-Type"] == ("image/jpeg" if is_shown else "application/octet-stream")
        assert response["Content-Disposition"].startswith("inline" if is_shown else "attachment")
        assert response["X-Content-Type-Options"] == "nosniff"


def test_the_model_is_only_given_what_really_is_a_pdf_or_text(stage: Stage) -> None:
    contents = [stage.wire.media.put(data, claimed) for _, data, claimed, _ in DOCUMENTS]
    stage.converse(inbound(*(message("document", content) for content in contents)))
    read = Attachment.objects.exclude(transcript="").values_list("mime_type", flat=True)
    assert set(read) == {"text/plain"}  # the PDFs here have no pages


@pytest.mark.parametrize("kind", ["image", "sticker", "audio", "video"])
@pytest.mark.parametrize("data", [HTML, EXE, PDF, RTF, b"", bytes(50)])
def test_what_is_shown_has_to_be_what_it_claims_to_be(kind: str, data: bytes) -> None:
    assert real_type(kind, "image/jpeg", data) is None


def test_a_film_in_quicktimes_container_is_shown() -> None:
    assert real_type("video", "video/quicktime", MOV) == "video/mp4"


TO_JPEG, TO_PDF = "Convert it to JPEG or PNG.", "Convert it to PDF."
LINK = "Send the files in it one by one, or a link to it."
REFUSED: list[tuple[str, bytes, str, str, str]] = [  # name, content, claimed type, kind, refusal
    ("photo.heic", HEIC, "image/heic", "", f"WhatsApp doesn't accept HEIC files. {TO_JPEG}"),
    ("photo.avif", AVIF, "image/avif", "image", f"WhatsApp doesn't accept AVIF files. {TO_JPEG}"),
    ("photo.tiff", TIFF, "image/tiff", "document", f"WhatsApp doesn't accept TIFF files. {TO_JPEG}"),
    ("photo.bmp", b"BM" + bytes(60), "image/bmp", "", f"WhatsApp doesn't accept BMP files. {TO_JPEG}"),
    ("photo.webp", picture(format="WEBP"), "image/webp", "", f"WhatsApp doesn't accept WEBP files. {TO_JPEG}"),
    ("photo.webp", picture(format="WEBP"), "image/webp", "image", f"WhatsApp doesn't accept WEBP files. {TO_JPEG}"),
    ("dance.gif", picture(format="GIF"), "image/gif", "", "Convert it to JPEG or PNG, or to MP4 if it's animated."),
    ("film.mov", MOV, "video/quicktime", "", "doesn't accept QuickTime files. Convert it to MP4"),
    ("film.mov", MOV, "video/quicktime", "video", "Convert it to MP4 with H.264 video and AAC audio."),
    ("film.webm", WEBM, "video/webm", "", "WhatsApp doesn't accept WEBM files. Convert it to MP4"),
    ("film.webm", WEBM, "audio/webm", "audio", "WhatsApp doesn't accept WEBM files."),
    ("film.avi", AVI, "video/x-msvideo", "", "WhatsApp doesn't accept AVI files. Convert it to MP4"),
    ("song.wav", WAV, "audio/wav", "", "Convert it to MP3, M4A, or OGG with the Opus codec."),
    ("song.flac", FLAC, "audio/flac", "audio", "WhatsApp doesn't accept FLAC files. Convert it to MP3"),
    ("song.ogg", VORBIS, "audio/ogg", "", "WhatsApp only accepts OGG files with the Opus codec."),
    ("all.zip", zipped(), "application/zip", "", f"WhatsApp doesn't accept ZIP files. {LINK}"),
    ("all.rar", RAR, "application/vnd.rar", "", f"WhatsApp doesn't accept RAR files. {LINK}"),
    ("all.gz", gzip.compress(b"x", mtime=0), "application/gzip", "", f"WhatsApp doesn't accept GZIP files. {LINK}"),
    ("app.apk", zipped(), "application/vnd.android.package-archive", "", f"WhatsApp doesn't accept ZIP files. {LINK}"),
    ("letter.doc", RTF, DOC, "", f"WhatsApp doesn't accept RTF files. {TO_PDF}"),
    ("page.html", HTML, "text/html", "", f"WhatsApp doesn't accept HTML files. {TO_PDF}"),
    ("prices.xls", HTML, XLS, "document", f"WhatsApp doesn't accept HTML files. {TO_PDF}"),
    ("setup.exe", EXE, "application/pdf", "", "WhatsApp doesn't accept executable files. Send a link to it instead."),
    ("mail.msg", OLE, "application/vnd.ms-outlook", "", f"WhatsApp doesn't accept files of this type. {TO_PDF}"),
    ("odd", bytes(range(256)), "application/pdf", "", f"WhatsApp doesn't accept files of this type. {TO_PDF}"),
    ("bill.pdf", PDF, "image/png", "image", "The file isn't of kind “image”. Send it with kind “document”."),
    ("photo.png", picture(format="PNG"), "", "video", "The file isn't of kind “video”. Send it with kind “image”."),
    ("empty.pdf", b"", "application/pdf", "", "The file is empty."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "data", "claimed", "kind", "refusal"), REFUSED)
def test_a_file_that_whatsapp_does_not_accept_is_refused_with_what_to_do(
    settings: Any, tmp_path: Path, name: str, data: bytes, claimed: str, kind: str, refusal: str
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        uploads.keep(ContentFile(data, name), claimed=claimed, kind=kind)
    assert refusal in str(refused.value)
    assert list(tmp_path.iterdir()) == []


ACCEPTED: list[tuple[str, bytes, str, str, str]] = [  # name, content, claimed type, kind and type in the end
    ("prices.csv", CSV.encode(), XLS, "document", "text/plain"),
    ("prices.csv", CSV.encode("latin-1"), "text/csv", "document", "text/plain"),
    ("protected.xlsx", OLE, XLSX, "document", XLSX),
    ("protected.xlsx", OLE, "application/octet-stream", "document", XLSX),
    ("prices.XLSX", zipped(), "", "document", XLSX),
    ("letter.doc", OLE, DOC + "; x=y", "document", DOC),
    ("letter.docx", zipped("word/document.xml"), DOCX, "document", DOCX),
    ("scan.pdf", b"\n" + PDF, "text/plain", "document", "application/pdf"),
    ("photo.jpg", picture(), "image/png", "image", "image/jpeg"),
    ("hello.ogg", OGG, "application/ogg", "audio", "audio/ogg"),
    ("film.mp4", MP4, "video/mp4", "video", "video/mp4"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "data", "claimed", "kind", "mime_type"), ACCEPTED)
def test_a_file_is_sent_as_what_it_is(
    settings: Any, tmp_path: Path, name: str, data: bytes, claimed: str, kind: str, mime_type: str
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    upload = uploads.keep(ContentFile(data, name), claimed=claimed)
    assert (upload.kind, upload.mime_type, upload.filename) == (kind, mime_type, name)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://files.test/photo.HEIC?size=9", f"HEIC files. {TO_JPEG}"),
        ("https://files.test/a/film.mov", "QuickTime files. Convert it to MP4"),
        ("https://files.test/all.zip#top", f"ZIP files. {LINK}"),
    ],
)
def test_a_link_to_a_file_that_whatsapp_does_not_accept_is_refused_too(link: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        FileLink("image", link)


def test_the_ending_of_a_link_need_not_say_what_it_leads_to() -> None:
    for link in (
        "https://files.test/photo",
        "https://files.test/photo.php?as=x.gif",
        "https://gif.zip",
        "https://a.b/",
    ):
        assert FileLink("image", link).link == link


@pytest.mark.django_db
def test_the_desk_says_what_to_do(businesses: TwoBusinesses, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    ours = conversation(businesses.ours)
    page = businesses.browser("operator").post(
        f"/admin/conversations/conversation/{ours.pk}/reply/",
        {"text": "", "file": SimpleUploadedFile("photo.heic", HEIC, "image/heic")},
        follow=True,
    )
    assert f"Not sent. WhatsApp doesn&#x27;t accept HEIC files. {TO_JPEG}" in page.content.decode()
    assert not ConversationMessage.objects.exists()
