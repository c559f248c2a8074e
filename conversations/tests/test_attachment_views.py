"""Message files: visible to people who can see the conversation, and harmless in their browsers."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from conversations.files import file_types
from conversations.files.attachments import Attachment, stored_name
from conversations.models import Conversation
from conversations.tests.open_page import OpenPage
from conversations.tests.rows import conversation, message
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.fixture
def ours(businesses: TwoBusinesses) -> Conversation:
    return conversation(businesses.ours)


def kept(of: Conversation, kind: str, mime_type: str, data: bytes = b"0123456789", **columns: Any) -> Attachment:
    return Attachment.objects.create(
        message=message(of, f"[{kind}]", kind=kind),
        kind=kind,
        mime_type=mime_type,
        size=len(data),
        file=default_storage.save(stored_name(mime_type), ContentFile(data)),
        **{"state": "ready", **columns},
    )


def address(attachment: Attachment, of: Conversation) -> str:
    return f"/admin/conversations/conversation/{of.pk}/attachments/{attachment.pk}/"


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_member_sees_it(businesses: TwoBusinesses, ours: Conversation) -> None:
    file = kept(ours, "image", "image/jpeg")
    for who in ("viewer", "operator", "owner", "superuser"):
        response = businesses.browser(who).get(address(file, ours))
        assert (response.status_code, body(response)) == (200, b"0123456789"), who


@pytest.mark.parametrize("who", ["stranger", "nobody"])
def test_another_tenant_does_not(businesses: TwoBusinesses, ours: Conversation, who: str) -> None:
    file = kept(ours, "image", "image/jpeg")
    theirs = conversation(businesses.theirs, "49777")
    client = businesses.browser(who)
    assert client.get(address(file, ours)).status_code in (403, 404)
    assert client.get(address(file, theirs)).status_code in (403, 404), "nor through a conversation of their own"


def test_someone_who_is_not_signed_in_does_not(client: Any, ours: Conversation) -> None:
    response = client.get(address(kept(ours, "image", "image/jpeg"), ours))
    assert (response.status_code, response["Location"][:13]) == (302, "/admin/login/")


@pytest.mark.parametrize(
    ("kind", "mime_type", "filename", "shown_as", "disposition"),
    [
        ("image", "image/png", "", "image/png", 'inline; filename="image-'),
        ("audio", "audio/ogg", "", "audio/ogg", "inline; "),
        (
            "document",
            "application/pdf",
            "../../bill.pdf",
            "application/octet-stream",
            'attachment; filename="bill.pdf"',
        ),
        ("document", "text/html", 'a"b\r\nX: y.html', "application/octet-stream", "attachment; "),
        ("document", "image/svg+xml", "x.svg", "application/octet-stream", "attachment; "),
        ("document", "text/javascript", "счёт.js", "application/octet-stream", "attachment; filename*=utf-8''"),
    ],
)
def test_it_is_harmless(
    businesses: TwoBusinesses,
    ours: Conversation,
    kind: str,
    mime_type: str,
    filename: str,
    shown_as: str,
    disposition: str,
) -> None:
    response = businesses.browser("viewer").get(address(kept(ours, kind, mime_type, filename=filename), ours))
    assert body(response) == b"0123456789"
    assert response["Content-Type"] == shown_as
    assert response["Content-Disposition"].startswith(disposition)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert response["Cache-Control"] == "private, max-age=3600"
    assert "X" not in response.headers


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=5-", 206, b"56789"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 200, b"0123456789"),
        ("bytes=4-2", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("nonsense", 200, b"0123456789"),
    ],
)
def test_a_player_can_request_a_range(
    businesses: TwoBusinesses, ours: Conversation, asked: str, status: int, given: bytes
) -> None:
    file = kept(ours, "audio", "audio/ogg")
    response = businesses.browser("viewer").get(address(file, ours), headers={"Range": asked})
    assert (response.status_code, body(response)) == (status, given)


def test_a_missing_file_is_not_found(businesses: TwoBusinesses, ours: Conversation) -> None:
    pending = Attachment.objects.create(message=message(ours, "[image]", kind="image"), kind="image", state="pending")
    lost = kept(ours, "image", "image/jpeg")
    default_storage.delete(str(lost.file.name))
    client = businesses.browser("viewer")
    assert [client.get(address(file, ours)).status_code for file in (pending, lost)] == [404, 404]


def test_the_transcript_shows_each_kind_and_why_one_is_missing(businesses: TwoBusinesses, ours: Conversation) -> None:
    image = kept(ours, "image", "image/jpeg")
    audio = kept(ours, "audio", "audio/ogg", transcript="I would like <b>two</b> cakes")
    document = kept(ours, "document", "application/pdf", filename="<i>bill.pdf")
    kept(ours, "video", "video/mp4")
    gone = message(ours, "[image]", kind="image")
    Attachment.objects.create(message=gone, kind="image", state="failed", error="Meta no longer has the file.")
    page = businesses.browser("viewer").get(f"/admin/conversations/conversation/{ours.pk}/change/").content.decode()
    assert f'<img src="{address(image, ours)}"' in page
    assert f'src="{address(audio, ours)}"' in page
    assert "“I would like &lt;b&gt;two&lt;/b&gt; cakes”" in page
    assert f'href="{address(document, ours)}"><bdi>&lt;i&gt;bill.pdf</bdi>' in page
    assert "<video" in page
    assert "File not available. Meta no longer has the file." in page


def test_an_open_page_is_drawn_again_when_a_file_arrives(businesses: TwoBusinesses, ours: Conversation) -> None:
    file = kept(ours, "image", "image/jpeg", state="pending")
    client = businesses.browser("viewer")
    page = client.get(f"/admin/conversations/conversation/{ours.pk}/change/").content.decode()
    assert "Downloading the file…" in page
    desk = OpenPage(client, ours)
    assert desk.poll() == {}
    Attachment.objects.filter(pk=file.pk).update(state="ready")
    assert "Downloading the file…" not in desk.poll()["newest"]


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_an_incomplete_file_is_not_shown(businesses: TwoBusinesses, ours: Conversation, state: str) -> None:
    file = kept(ours, "image", "image/jpeg", state=state)
    assert businesses.browser("owner").get(address(file, ours)).status_code == 404


@pytest.mark.parametrize(
    ("mime_type", "filename", "saved_as"),
    [
        ("application/pdf", "bill.pdf", "bill.pdf"),
        ("application/pdf", "bill.PDF", "bill.PDF"),
        ("application/pdf", "bill", "bill.pdf"),
        ("application/pdf", "bill.exe", "bill.exe.pdf"),
        ("application/pdf", "C:\\bills\\may.pdf", "may.pdf"),
        ("application/pdf", "bill\u202efdp.exe", "billfdp.exe.pdf"),
        ("text/html", "x.html", "x.html.bin"),
        ("image/svg+xml", "x.svg", "x.svg.bin"),
        ("text/plain", "run.bat", "run.bat.txt"),
        ("text/plain", "list.csv", "list.csv"),
        ("application/octet-stream", "setup.exe", "setup.exe.bin"),
        ("application/x-msdownload", "setup.scr .", "setup.scr.bin"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "order.docx", "order.docx"),
        ("application/vnd.ms-word.document.macroenabled.12", "order.docm", "order.docm.bin"),
        ("application/zip", "all.zip", "all.zip"),
        ("application/octet-stream", "счёт.lnk", "счёт.lnk.bin"),
        ("application/pdf", "x" * 250 + ".pdf", "x" * 150 + ".pdf"),
    ],
)
def test_nothing_is_saved_under_a_name_that_runs(mime_type: str, filename: str, saved_as: str) -> None:
    assert file_types.download_name(filename, mime_type) == saved_as


@pytest.mark.parametrize("filename", ["", "...", "/", "\u202e", " . "], ids=range(5))
def test_a_name_of_which_nothing_is_left_is_replaced(
    businesses: TwoBusinesses, ours: Conversation, filename: str
) -> None:
    file = kept(ours, "document", "application/pdf", filename=filename)
    response = businesses.browser("viewer").get(address(file, ours))
    assert body(response)
    assert response["Content-Disposition"] == f'attachment; filename="document-{file.pk}.pdf"'
