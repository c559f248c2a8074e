"""Files in an S3-compatible bucket, chosen by one setting: stored, read, served and deleted there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from config.media_storage import LOCAL, media_storage
from conversations.files import uploads
from conversations.files.attachments import Attachment
from conversations.models import Conversation
from conversations.outbox import queue as outbox
from tenants.tests.people import superuser
from tests.media_at_meta import PDF, picture
from tests.pdfs import pdf
from tests.stage import Stage
from whatsapp.tests.factories import inbound, message

Bucket = dict[str, bytes]


@pytest.fixture
def bucket(settings: Any) -> Iterator[Bucket]:
    """The objects by path, behind a server that supports PUT, GET, HEAD and DELETE."""
    objects: Bucket = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            assert "Credential=key/" in self.headers["Authorization"]
            objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200)

        def do_GET(self) -> None:
            found = objects.get(self.path.partition("?")[0])
            self._answer(404 if found is None else 200, found or b"")

        do_HEAD = do_GET

        def do_DELETE(self) -> None:
            objects.pop(self.path, None)
            self._answer(204)

        def _answer(self, status: int, data: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Last-Modified", "Tue, 24 Nov 2026 12:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    url = f"s3://key:se%2Fcret@files/parley?region=eu-central-1&endpoint={address}&addressing=path"
    settings.STORAGES = {**settings.STORAGES, "default": media_storage(url)}
    yield objects
    used: Any = default_storage
    used.connection.meta.client.close()
    server.shutdown()
    server.server_close()


def test_an_image_is_stored_scaled_down_served_and_removed(stage: Stage, bucket: Bucket) -> None:
    data = picture(1600, 1200)
    stage.converse(inbound(message("image", stage.wire.media.put(data, "image/jpeg"))))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.error) == ("ready", "")
    assert bucket[f"/files/parley/{attachment.file.name}"] == data
    assert bucket[f"/files/parley/{attachment.preview.name}"].startswith(b"\xff\xd8")
    client = Client()
    client.force_login(superuser())
    page = f"/admin/conversations/conversation/{attachment.message.conversation_id}/attachments/{attachment.pk}/"
    assert b"".join(client.get(page)) == data
    part = client.get(page, headers={"Range": "bytes=2-5"})
    assert (part.status_code, b"".join(part)) == (206, data[2:6])
    bucket.pop(f"/files/parley/{attachment.file.name}")
    assert client.get(page).status_code == 404
    Conversation.objects.all().delete()
    assert bucket == {}


def test_a_document_is_read_there_and_one_of_ours_goes_out_from_there(stage: Stage, bucket: Bucket) -> None:
    content = stage.wire.media.put(pdf("Invoice 17"), "application/pdf")
    stage.converse(inbound(message("document", content)))
    assert Attachment.objects.get().transcript == "Invoice 17"
    outbox.send_message(Conversation.objects.get(), uploads.keep(ContentFile(PDF, "bill.pdf")))
    stage.work()
    assert PDF in stage.wire.media.uploaded[0]
    assert len(bucket) == 2


@pytest.mark.parametrize("url", ["https://files.example/", "s3://", "files"])
def test_an_invalid_bucket_url_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="MEDIA_STORAGE_URL"):
        media_storage(url)


def test_without_a_url_files_are_in_the_folder() -> None:
    assert media_storage("") == LOCAL


def test_without_a_key_the_machines_credentials_are_used() -> None:
    options = media_storage("s3://files/parley?region=eu-central-1")["OPTIONS"]
    assert (options["bucket_name"], options["location"], options["region_name"]) == ("files", "parley", "eu-central-1")
    assert not {"access_key", "secret_key"} & options.keys()
