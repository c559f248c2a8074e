"""Files are read by the worker, again when they should be, and with clear errors."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.models.functions import Now

from knowledge.models import Source
from knowledge.reading import work
from knowledge.tests.adding import add_file, known, read, read_again
from runtime.clock import from_now
from runtime.database import database_sync_to_async
from tests.pdfs import pdf
from tests.stage import Stage

# --- files ---


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        (pdf("Cakes: 24.00"), "prices.pdf", "Cakes: 24.00"),
        (pdf("Cakes: 24.00"), "prices", "Cakes: 24.00"),
        (b"# Prices\nCakes: 24.00", "prices.md", "Cakes: 24.00"),
        (b"Cake,Price\nApple,24.00", "prices.csv", "Cake: Apple; Price: 24.00"),
        (b"<html><body><p>Cakes: 24.00</p></body></html>", "prices.txt", "Cakes: 24.00"),
        ("Öffnung".encode("cp1252"), "hours.txt", "Öffnung"),
        (b"a\x00b \xed\xa0\x80 \xe2\x80\xaec\r\n\r\n\r\n\r\nd", "odd.txt", None),
    ],
)
def test_a_file_is_read(stage: Stage, data: bytes, name: str, text: str | None) -> None:
    source = read(stage, add_file(data, f"C:\\docs\\{name}"))
    assert (source.state, source.error, source.filename, source.title) == ("ready", "", name, Path(name).stem)
    if text is not None:
        assert known() == [text]
    (chunk,) = known()
    assert chunk.isprintable() or "\n" in chunk


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (pdf(), "scan.pdf", "may be a scan: recognize its text"),
        (pdf("x", password="x"), "locked.pdf", "protected by a password"),
        (pdf(*["x"] * 5_000), "long.pdf", "5,000 pages, and at most 1,000"),
        (b"%PDF-1.7\nnonsense", "broken.pdf", "damaged. Open it, save it again"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old.doc", "an old version of Office"),
        (b"PK\x03\x04nonsense", "broken.docx", "damaged. Open it, save it again"),
        (bytes(range(256)) * 20, "photo.jpg", "This kind of file can't be read"),
        (b" \n ", "empty.txt", "contains no text"),
        (b"x" * 1_000_001, "long.txt", "more than 1,000,000 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_says_what_to_do(stage: Stage, data: bytes, name: str, reason: str) -> None:
    source = read(stage, add_file(data, name))
    assert (source.state, source.progress, source.next_attempt_at) == ("failed", "", None)
    assert reason in source.error
    assert known() == []


def test_a_file_leaves_the_storage_with_its_source(stage: Stage, settings: Any) -> None:
    source = add_file(b"Hello", "hello.txt")
    stored = [file for file in Path(settings.MEDIA_ROOT).rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in stored] == [b"Hello"]
    source.delete()
    assert not stored[0].exists()


@pytest.mark.parametrize(("size", "reason"), [(0, "is empty"), ((20 << 20) + 1, "larger than 20 MB")])
def test_a_file_of_the_wrong_size_is_refused(stage: Stage, size: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        add_file(bytes(size), "file.txt")
    assert not Source.objects.exists()


def test_a_source_whose_worker_was_killed_is_read_again(stage: Stage) -> None:
    source = add_file(b"Hello", "hello.txt")
    assert work.BACKLOG.claim()
    stage.work()
    assert known() == []  # the lease lasts
    Source.objects.update(next_attempt_at=Now())
    assert work.BACKLOG.find_due() == 1
    assert read(stage, source).state == "ready"
    assert known() == ["Hello"]


def test_a_source_that_kills_its_workers_is_given_up(stage: Stage) -> None:
    source = add_file(b"Hello", "hello.txt")
    Source.objects.update(fence=work.MAX_ATTEMPTS)
    source = read(stage, source)
    assert source.state == "failed"
    assert "Reading it failed every time" in source.error
    assert read_again(stage, source).state == "ready"


def test_a_worker_that_lost_its_lease_changes_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    source = add_file(b"Old", "hello.txt")

    async def extract(claimed: Source) -> Any:
        await asyncio.to_thread(lambda: None)
        await database_sync_to_async(Source.objects.update)(fence=7, next_attempt_at=from_now(600))
        return await original(claimed)

    original = work._extract
    monkeypatch.setattr(work, "_extract", extract)
    assert read(stage, source).state == "reading"
    assert known() == []


def test_an_unexpected_error_is_shown(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(work, "_of_stored_file", fail)
    source = add_file(b"Hello", "hello.txt")
    async_to_sync(work.BACKLOG.run)(work.read_one)
    source.refresh_from_db()
    assert source.state == "failed"
    assert "unexpected error occurred (KeyError)" in source.error
