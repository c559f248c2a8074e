"""Adding sources, changing them, and having them read again. The admin, the API and the import all come here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from audit import watching
from conversations.files import removal
from conversations.files.uploads import name_of
from runtime.clock import from_now
from runtime.untrusted_json import several_lines

from .indexing import store_chunks
from .models import LONGEST_ANSWER, LONGEST_TEXT, LONGEST_TITLE, SETTLED, WRITTEN_HERE, Source, stored_name
from .reading.fetching import normalized
from .reading.work import BACKLOG, DAY

EDITABLE = ["title", "url", "public_url", "enabled", "expires_at", "repeat_days", "updated_at"]
OF_PAGES = ("enabled", "expires_at")  # what a sitemap decides for its pages


def save(source: Source) -> None:
    """Store a new or changed source with what follows from it: its chunks, or that it's read. Raises TooMuch.

    Columns of an existing source that a job may be writing at the same time aren't touched.
    """
    is_written_here = source.kind in WRITTEN_HERE
    source.updated_at = Now()
    with transaction.atomic():
        old = Source.objects.select_for_update(no_key=True).filter(pk=source.pk).first()
        source.save(update_fields=[*EDITABLE, *(["text"] if is_written_here else [])] if old else None)
        if old and not is_written_here:
            source.text = old.text
        if is_written_here or (old and old.title != source.title):
            store_chunks(source)
        if not is_written_here and (old is None or old.url != source.url):
            read_again(Source.objects.filter(pk=source.pk))
        elif old and old.repeat_days != source.repeat_days and old.state in SETTLED:
            again = from_now(source.repeat_days * DAY) if source.repeat_days else None
            Source.objects.filter(pk=source.pk).update(next_attempt_at=again)
        if source.kind == Source.Kind.SITEMAP:
            source.pages.update(**{name: getattr(source, name) for name in OF_PAGES})


@contextmanager
def announced(uploads: "Sequence[File[bytes]]") -> Iterator[list[str]]:
    """New names for uploaded files. Call it outside a transaction. Files that no source owns afterwards are removed."""
    names = [stored_name(upload.name or "") for upload in uploads]
    for name in names:
        removal.announce(name)
    try:
        yield names
    finally:
        for name in names:
            removal.remove_if_unowned(name)


def add_file(source: Source, upload: "File[bytes]", stored: str) -> None:
    """Store a new source of an uploaded file, and the file under its announced name. Raises ValueError if the file is
    empty or too large."""
    name = name_of(upload)
    if not upload.size:
        raise ValueError(f"{name} is empty.")
    if upload.size > settings.KNOWLEDGE_LARGEST_MB << 20:
        raise ValueError(f"{name} is larger than {settings.KNOWLEDGE_LARGEST_MB} MB. Split it into several files.")
    default_storage.save(stored, upload)
    with transaction.atomic():
        removal.keep(stored)
        source.kind, source.file.name, source.filename = Source.Kind.FILE, stored, name
        source.title = source.title or PurePath(name).stem[:LONGEST_TITLE]
        save(source)


def read_again(sources: "QuerySet[Source]") -> int:
    """Have files, pages and sitemaps read as soon as possible. Returns their number."""
    to_read = sources.exclude(kind__in=WRITTEN_HERE)
    with transaction.atomic():
        count = to_read.update(state=Source.State.WAITING, error="", progress="", next_attempt_at=Now())
        BACKLOG.wake(count)
    return count


def switch(sources: "QuerySet[Source]", enabled: bool) -> None:
    """Turn sources on or off. A sitemap's pages follow it."""
    with transaction.atomic():
        ids = list(sources.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        pages = Source.objects.filter(parent__in=ids).exclude(pk__in=ids)
        watching.update(Source.objects.filter(pk__in=ids), enabled=enabled, updated_at=Now())
        pages.update(enabled=enabled, updated_at=Now())


def checked_url(text: str) -> str:
    """The URL of a page or a sitemap as it's stored. Raises ValidationError."""
    if not text.strip():
        raise ValidationError("This field is required.")
    try:
        return normalized(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def checked_link(text: str) -> str:
    """The link to a source's public page as it's stored; '' for none. Raises ValidationError."""
    link = text.strip()
    if link:
        URLValidator(["http", "https"])(link)
    return link


def checked_text(kind: str, text: str) -> str:
    """The text of a question or a text as it's stored. Raises ValidationError."""
    text = several_lines(text)
    longest = LONGEST_ANSWER if kind == Source.Kind.QUESTION else LONGEST_TEXT
    if not text:
        raise ValidationError("This field is required.")
    if len(text) > longest:
        raise ValidationError(f"This has {len(text):,} characters. The limit is {longest:,}.")
    return text
