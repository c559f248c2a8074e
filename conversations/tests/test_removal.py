"""Files in the storage that no message owns are removed, no matter when the process that stored them died."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as active
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from conversations.files import removal, uploads
from conversations.files.removal import FileToRemove, remove_unowned
from conversations.models import Conversation
from conversations.outbox.contents import FileUpload
from conversations.outbox.queue import send_message
from tenants.models import Tenant
from tests.media_at_meta import PDF
from tests.stage import Stage


@pytest.fixture
def upload(stage: Stage) -> FileUpload:
    return uploads.keep(ContentFile(PDF, "bill.pdf"))


def stored_files() -> list[Path]:
    return [file for file in Path(active.MEDIA_ROOT).rglob("*") if file.is_file()]


def send(upload: FileUpload) -> Conversation:
    talk = Conversation.objects.create(tenant=Tenant.objects.single(), phone_number_id="1", external_id="2")
    send_message(talk, upload)
    return talk


def an_hour_passes() -> None:
    FileToRemove.objects.update(remove_at=Now())


def test_an_upload_is_removed_when_no_message_owns_it_after_an_hour(upload: FileUpload) -> None:
    assert remove_unowned() == 0, "its reply may still be queued"
    assert len(stored_files()) == 1
    an_hour_passes()
    assert remove_unowned() == 1
    assert (stored_files(), FileToRemove.objects.count()) == ([], 0)


def test_an_upload_that_a_message_owns_stays(upload: FileUpload) -> None:
    send(upload)
    an_hour_passes()
    assert remove_unowned() == 0
    removal.remove_if_unowned(upload.storage_name)
    assert len(stored_files()) == 1


def test_an_upload_whose_reply_was_refused_is_removed_at_once(upload: FileUpload) -> None:
    removal.remove_if_unowned(upload.storage_name)
    assert (stored_files(), FileToRemove.objects.count()) == ([], 0)


def test_a_file_whose_upload_was_cut_off_is_removed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def save_half(name: str, content: Any) -> str:
        (Path(active.MEDIA_ROOT) / "attachments").mkdir(parents=True)
        (Path(active.MEDIA_ROOT) / name).write_bytes(content.read()[:10])
        raise Killed

    monkeypatch.setattr(default_storage, "save", save_half)
    with pytest.raises(Killed):
        uploads.keep(ContentFile(PDF, "bill.pdf"))
    assert len(stored_files()) == 1
    an_hour_passes()
    assert remove_unowned() == 1
    assert stored_files() == []


def test_a_file_outlives_its_message_only_until_the_storage_is_back(
    upload: FileUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = send(upload)

    def fail(name: str) -> None:
        raise OSError("the bucket is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(default_storage, "delete", fail)
        talk.delete()
    assert len(stored_files()) == 1
    assert remove_unowned() == 1
    assert (stored_files(), FileToRemove.objects.count()) == ([], 0)
