"""A worker that dies while storing a file leaves no unknown file behind."""

from pathlib import Path
from typing import IO, Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as active
from django.db import connections

from assistant.files import extraction, images
from conversations.files.attachments import Attachment
from conversations.models import Conversation
from tests.media_at_meta import PDF, MediaAtMeta, picture
from tests.stage import Stage
from whatsapp.media import fetching
from whatsapp.tests.factories import inbound, message


class Killed(BaseException):
    """Not an Exception, so that nothing catches it."""


@pytest.fixture
def meta(stage: Stage) -> MediaAtMeta:
    return stage.wire.media


def stored_files() -> set[str]:
    folder = Path(active.MEDIA_ROOT)
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def die_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Like a killed worker: nothing after this point runs."""

    def dead(*args: Any, **kwargs: Any) -> None:
        raise Killed

    monkeypatch.setattr(module, name, dead)


def attempt(module: Any, work: Any) -> None:
    with pytest.raises(Killed):
        async_to_sync(module.BACKLOG.run)(work)


def test_the_next_attempt_removes_what_the_previous_one_left(
    stage: Stage, meta: MediaAtMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.post(inbound(message("document", meta.put(PDF, "application/pdf"))))
    attachment = Attachment.objects.get()
    with monkeypatch.context() as patch:
        die_at(patch, fetching, "_stored")
        attempt(fetching, fetching.fetch_one)
    (left,) = stored_files()
    Attachment.objects.update(next_attempt_at=attachment.created_at)
    stage.work()
    attachment.refresh_from_db()
    assert (attachment.state, stored_files()) == ("ready", {attachment.file.name})
    assert attachment.file.name != left


@pytest.mark.parametrize(
    ("module", "step", "work"), [(fetching, "_stored", fetching.fetch_one), (extraction, "_ready", extraction.read_one)]
)
def test_what_was_left_goes_with_its_conversation(
    stage: Stage, meta: MediaAtMeta, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, work: Any
) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    with monkeypatch.context() as patch:
        die_at(patch, module, step)
        if work is extraction.read_one:
            async_to_sync(fetching.BACKLOG.run)(fetching.fetch_one)
        attempt(module, work)
    assert len(stored_files()) == (1 if module is fetching else 2)
    Conversation.objects.all().delete()
    assert not stored_files()


def test_a_preview_is_made_once_more_under_the_same_name(
    stage: Stage, meta: MediaAtMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    attachment = Attachment.objects.get()
    async_to_sync(fetching.BACKLOG.run)(fetching.fetch_one)
    with monkeypatch.context() as patch:
        die_at(patch, extraction, "_ready")
        attempt(extraction, extraction.read_one)
    before = stored_files()
    Attachment.objects.update(next_attempt_at=attachment.created_at)
    stage.work()
    attachment.refresh_from_db()
    assert (attachment.state, stored_files()) == ("ready", before)
    assert attachment.preview.name in before


def test_a_message_that_is_deleted_while_its_picture_is_read_leaves_nothing(
    stage: Stage, meta: MediaAtMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.post(inbound(message("image", meta.put(picture(), "image/jpeg"))))
    async_to_sync(fetching.BACKLOG.run)(fetching.fetch_one)
    shrink = images.shrink

    def shrink_slowly(file: IO[bytes]) -> bytes:
        Attachment.objects.all().delete()
        connections.close_all()  # of this thread
        return shrink(file)

    monkeypatch.setattr(images, "shrink", shrink_slowly)
    async_to_sync(extraction.BACKLOG.run)(extraction.read_one)
    assert not stored_files()
