"""Customers' files, from the webhook on: fetched at once, within limits, and only if they are what they claim to be."""

import asyncio
import re
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.conf import settings as active
from procrastinate.contrib.django.models import ProcrastinateJob

from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage
from tests.media_at_meta import OGG, PDF, MediaAtMeta, Pieces, body, picture
from tests.stage import Json, Stage
from whatsapp.media import fetching
from whatsapp.media.download import Spool
from whatsapp.tasks import find_files_to_fetch
from whatsapp.tests.factories import change, delivery, echo, inbound, message, text_message

MB = 1024 * 1024


def named(value: object) -> str:
    return value if isinstance(value, str) else "file"


@pytest.fixture
def meta(stage: Stage) -> MediaAtMeta:
    return stage.wire.media


def arrived(stage: Stage, kind: str, content: Json) -> Attachment:
    stage.converse(inbound(message(kind, content)))
    return Attachment.objects.get()


def stored_files() -> list[Path]:
    return [file for file in Path(active.MEDIA_ROOT).rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("kind", "data", "mime_type", "real"),
    [
        ("image", picture(), "image/jpeg", "image/jpeg"),
        ("image", picture(format="PNG"), "image/jpeg", "image/png"),
        ("sticker", picture(format="WEBP"), "image/webp", "image/webp"),
        ("audio", OGG, "audio/ogg; codecs=opus", "audio/ogg"),
        ("video", b"\0\0\0\x18ftypmp42" + bytes(50), "video/mp4", "video/mp4"),
        ("document", PDF, "application/pdf", "application/pdf"),
        ("document", b"PK\x03\x04" + bytes(50), "application/vnd.openxmlformats-x", "application/vnd.openxmlformats-x"),
    ],
    ids=named,
)
def test_a_file_is_fetched_and_stored(
    stage: Stage, meta: MediaAtMeta, kind: str, data: bytes, mime_type: str, real: str
) -> None:
    attachment = arrived(stage, kind, meta.put(data, mime_type))
    assert (attachment.state, attachment.mime_type, attachment.size) == ("ready", real, len(data))
    assert (Path(active.MEDIA_ROOT) / str(attachment.file.name)).read_bytes() == data
    assert {token for _, token in meta.asked} == {"Bearer token-of-the-business"}
    assert attachment.message.kind == kind


def test_the_rows_and_their_jobs_come_with_the_messages_in_one_transaction(stage: Stage, meta: MediaAtMeta) -> None:
    files = [message("image", meta.put(picture(), "image/jpeg")) for _ in range(3)]
    stage.post(inbound(*files, text_message("these three")))
    stage.post(inbound(*files))  # Meta repeats itself
    assert Attachment.objects.filter(state="pending").count() == 3
    assert ProcrastinateJob.objects.filter(task_name="whatsapp.tasks.fetch").count() == 3
    assert meta.asked == [], "nothing is fetched within the webhook"


def test_a_message_without_a_file_has_no_row(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello"), message("image", {"mime_type": "image/jpeg"})))
    assert not Attachment.objects.exists()


def test_a_file_that_a_person_sent_from_the_app_is_fetched_too(stage: Stage, meta: MediaAtMeta) -> None:
    stage.converse(delivery(change(message_echoes=[echo("image", meta.put(picture(), "image/jpeg"))])))
    assert Attachment.objects.get().state == "ready"


@pytest.mark.parametrize(
    ("kind", "data", "mime_type"),
    [
        ("image", b"<!DOCTYPE html><script>alert(1)</script>", "image/jpeg"),
        ("image", b"<?xml version='1.0'?><svg onload='alert(1)'/>", "image/svg+xml"),
        ("image", PDF, "image/png"),
        ("sticker", picture(), "image/webp"),
        ("audio", picture(), "audio/ogg"),
        ("image", b"", "image/jpeg"),
    ],
    ids=named,
)
def test_a_file_that_is_not_what_it_says_is_refused(
    stage: Stage, meta: MediaAtMeta, kind: str, data: bytes, mime_type: str
) -> None:
    attachment = arrived(stage, kind, meta.put(data, mime_type))
    assert (attachment.state, attachment.error) == ("failed", f"The file isn't the {kind} it claims to be.")
    assert (stored_files(), attachment.fence) == ([], 1)


@pytest.mark.parametrize("announced", ["all", "length", "nothing"])
def test_17_mb_of_audio_are_refused_before_they_are_all_read(stage: Stage, meta: MediaAtMeta, announced: str) -> None:
    pieces = Pieces(OGG[:1000] * 66, 17 * 16)
    content = meta.put(b"", "audio/ogg", file_size=17 * MB if announced == "all" else None)
    headers = {"Content-Length": str(17 * MB)} if announced == "length" else {}
    meta.files[content["id"]].answer = lambda request: httpx2.Response(200, stream=pieces, headers=headers)
    attachment = arrived(stage, "audio", content)
    assert (attachment.state, attachment.error) == ("failed", "The file is larger than 16 MB.")
    assert stored_files() == []
    assert pieces.given < (17 * 16 if announced == "nothing" else 2)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..\\..\\boot.ini", "/etc/cron.d/x", "a\x00b.pdf", "..", "x" * 5000 + ".pdf"]
)
def test_a_name_that_looks_like_a_path_is_harmless(stage: Stage, meta: MediaAtMeta, name: str) -> None:
    attachment = arrived(stage, "document", {**meta.put(PDF, "application/pdf"), "filename": name})
    assert attachment.state == "ready"
    assert [str(file.relative_to(active.MEDIA_ROOT)) for file in stored_files()] == [attachment.file.name]
    assert re.fullmatch(r"attachments/[0-9a-f]{32}\.pdf", str(attachment.file.name))


def test_another_sha256_is_another_file(stage: Stage, meta: MediaAtMeta) -> None:
    attachment = arrived(stage, "image", meta.put(picture(), "image/jpeg", sha256="0" * 64))
    assert (attachment.state, attachment.fence) == ("failed", 4)
    assert "isn't the one that Meta announced" in attachment.error
    assert stored_files() == []


def test_a_proxys_page_instead_of_the_file_is_retried(stage: Stage, meta: MediaAtMeta) -> None:
    content = meta.put(picture(), "image/jpeg")
    answers = [body(b"<html>Sorry</html>"), body(b"", 503), body(b"", 403)]
    file = meta.files[content["id"]]
    file.answer = lambda request: answers.pop(0) if answers else body(file.data)
    attachment = arrived(stage, "image", content)
    assert (attachment.state, attachment.error) == ("ready", "")


@pytest.mark.parametrize(
    ("answer", "reason", "attempts"),
    [
        (httpx2.Response(400, json={"error": {"message": "no", "code": 100}}), "no longer has the file", 1),
        (httpx2.Response(401, json={"error": {"message": "no", "code": 190}}), "has expired or is invalid", 6),
        (httpx2.Response(429, json={"error": {"message": "no", "code": 4}}), "calls Meta too often", 6),
        (httpx2.Response(502, text="<html>"), "isn't Meta's JSON", 7),
        (httpx2.Response(200, json={}), "Not downloaded", 1),
        (httpx2.Response(200, json={"url": 7, "file_size": "many", "sha256": None}), "Not downloaded", 1),
        (httpx2.Response(200, content=rb'{"url": "https://\u0000\ud83d", "file_size": -5}'), "Not downloaded", 1),
        (httpx2.Response(200, json={"url": "https://" + "h" * 5000}), "Not downloaded", 1),
        (httpx2.Response(200, json={"file_size": "9" * 5000}), "larger than 5 MB", 1),
        (httpx2.Response(200, content=b'{"file_size": %s}' % (b"9" * 5000)), "larger than 5 MB", 1),
        (
            httpx2.Response(404, content=rb'{"error": {"message": "\u0000\ud83d", "code": 100}}'),
            "no longer has the file",
            1,
        ),
    ],
)
def test_what_graph_says_instead_of_an_address(
    stage: Stage, meta: MediaAtMeta, answer: httpx2.Response, reason: str, attempts: int
) -> None:
    content = meta.put(picture(), "image/jpeg")
    meta.files[content["id"]].describe = lambda request: answer
    attachment = arrived(stage, "image", content)
    assert (attachment.state, attachment.fence) == ("failed", attempts)
    assert reason in attachment.error


def test_a_slow_host_is_not_waited_for_any_longer(stage: Stage, meta: MediaAtMeta, settings: Any) -> None:
    settings.MEDIA_SECONDS = 0.05
    content = meta.put(picture(), "image/jpeg")
    meta.files[content["id"]].answer = lambda request: httpx2.Response(200, stream=Slow())
    attachment = arrived(stage, "image", content)
    assert (attachment.state, attachment.error) == ("failed", "The file didn't arrive within 0.05 seconds.")


class Slow(httpx2.AsyncByteStream):
    async def __aiter__(self) -> Any:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"


def test_a_file_at_one_of_metas_hosts_is_fetched_from_a_public_address(stage: Stage, meta: MediaAtMeta) -> None:
    stage.network.addresses = lambda host: ["10.0.0.1", "157.240.1.60"]
    attachment = arrived(stage, "image", meta.put(picture(), "image/jpeg", url="https://lookaside.fbsbx.com/files/"))
    assert attachment.state == "ready"
    url = f"https://lookaside.fbsbx.com/files/{attachment.media_id}"
    assert meta.asked[-1] == (url, "Bearer token-of-the-business")
    assert ("lookaside.fbsbx.com", "157.240.1.60") in stage.network.connected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/files/",
        "https://fbsbx.com.evil.test/files/",
        "https://evilfbsbx.com/files/",
        "http://lookaside.fbsbx.com/files/",
        "https://user@lookaside.fbsbx.com/files/",
        "https://graph.facebook.com@evil.test/files/",
        "http://127.0.0.1:5432/files/",
        "http://169.254.169.254/files/",
        "file:///etc/passwd?",
        "https://[::1]/files/",
        "https:///files/",
    ],
)
@pytest.mark.parametrize("how", ["at once", "redirect"])
def test_the_token_goes_nowhere_but_to_meta(stage: Stage, meta: MediaAtMeta, url: str, how: str) -> None:
    content = meta.put(picture(), "image/jpeg", **({"url": url} if how == "at once" else {}))
    if how == "redirect":
        meta.files[content["id"]].answer = lambda request: httpx2.Response(302, headers={"Location": url})
    attachment = arrived(stage, "image", content)
    assert attachment.state == "failed"
    assert all(asked.startswith("https://graph.facebook.com/") for asked, _ in meta.asked)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"])
def test_metas_name_for_a_private_address_is_not_followed(stage: Stage, meta: MediaAtMeta, address: str) -> None:
    stage.network.addresses = lambda host: [address] if host.endswith("fbsbx.com") else ["157.240.1.60"]
    attachment = arrived(stage, "image", meta.put(picture(), "image/jpeg", url="https://lookaside.fbsbx.com/files/"))
    assert attachment.error == "lookaside.fbsbx.com is not on the internet: not downloaded."
    assert len(meta.asked) == 1


def test_redirects_end(stage: Stage, meta: MediaAtMeta) -> None:
    content = meta.put(picture(), "image/jpeg")
    meta.files[content["id"]].answer = lambda request: httpx2.Response(302, headers={"Location": str(request.url)})
    assert "redirects too often" in arrived(stage, "image", content).error


def test_a_document_of_100_mb_needs_little_memory(stage: Stage, meta: MediaAtMeta) -> None:
    pieces = Pieces(bytes(MB), 99)
    content = meta.put(b"", "application/pdf", file_size=100 * MB, sha256="")

    class Large(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield PDF + bytes(MB - len(PDF))
            async for piece in pieces:
                yield piece

    meta.files[content["id"]].answer = lambda request: httpx2.Response(200, stream=Large())
    tracemalloc.start()
    attachment = arrived(stage, "document", {**content, "sha256": ""})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (attachment.state, attachment.size) == ("ready", 100 * MB)
    assert peak < 60 * MB


def test_a_lost_job_is_found_at_once_and_a_lost_worker_after_its_lease(stage: Stage, meta: MediaAtMeta) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    assert find_files_to_fetch() == 0, "its job is waiting"
    ProcrastinateJob.objects.all()._raw_delete("default")
    assert find_files_to_fetch() == 1
    claimed = fetching.BACKLOG.claim()
    assert claimed is not None
    attachment = Attachment.objects.claimed(claimed[1], "pending")
    assert attachment is not None, "a worker has it, and dies"
    stage.work()
    assert find_files_to_fetch() == 0, "the lease holds"
    Attachment.objects.update(next_attempt_at=attachment.created_at)
    assert find_files_to_fetch() == 1
    stage.work()
    assert Attachment.objects.get().state == "ready"
    with closing(Spool(5)) as spool:
        assert not fetching._stored(attachment, "late", "image/png", spool), "the first worker wakes up too late"


def test_more_jobs_than_files_fetch_each_file_once(stage: Stage, meta: MediaAtMeta) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    fetching.BACKLOG.wake(3)
    stage.work()
    assert (len(meta.asked), len(stored_files())) == (2, 2), "the picture and its preview"


def test_files_go_with_their_conversation(stage: Stage, meta: MediaAtMeta) -> None:
    arrived(stage, "image", meta.put(picture(), "image/jpeg"))
    assert len(stored_files()) == 2, "the picture and its preview"
    Conversation.objects.all().delete()
    assert (stored_files(), ConversationMessage.objects.count()) == ([], 0)
