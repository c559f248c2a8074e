"""Files that the team or an API client sends: checked and stored before their message is queued."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage

from conversations.outbox.contents import FileUpload
from runtime.untrusted_json import one_line

from . import removal
from .attachments import stored_name
from .file_types import HEAD, sniffed
from .sendable import KINDS, sendable_type


def keep(file: "File[bytes]", caption: str = "", claimed: str = "", kind: str = "") -> FileUpload:
    """Store a file for `outbox.send_message`. If no message owns it within an hour, it's removed.

    claimed: the MIME type according to the sender. kind: image, audio, video or document; empty: detected.
    Raises ValueError, with a message for the sender, if WhatsApp doesn't accept it. Call it outside a transaction.
    """
    head = file.read(HEAD)
    kind = kind or KINDS.get(sniffed(head), "document")
    _check_size(file, kind)
    mime_type = sendable_type(kind, claimed, head, name_of(file))
    name = stored_name(mime_type)
    upload = FileUpload(
        kind=kind,
        storage_name=name,
        mime_type=mime_type,
        size=file.size,
        sha256=digest_of(file),
        caption=caption.strip(),
        filename=name_of(file),
    )
    removal.announce(name)
    default_storage.save(name, file)
    return upload


@contextmanager
def kept(file: "File[bytes]", caption: str = "", claimed: str = "", kind: str = "") -> Iterator[FileUpload]:
    """A kept file, deleted on leaving the block unless a message was queued with it. Raises ValueError as `keep`."""
    upload = keep(file, caption, claimed, kind)
    try:
        yield upload
    finally:
        removal.remove_if_unowned(upload.storage_name)


def _check_size(file: "File[bytes]", kind: str) -> None:
    largest = settings.MEDIA_LARGEST_MB[kind]
    if not file.size:
        raise ValueError("The file is empty.")
    if file.size > largest * 1024 * 1024:
        raise ValueError(f"The file is too large. WhatsApp's limit for this type is {largest} MB.")


def digest_of(file: "File[bytes]") -> str:
    """The SHA-256 of its content, in hexadecimal."""
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def name_of(file: "File[bytes]") -> str:
    """The name that the sender gave it, as one line and without a path."""
    name = (file.name or "").replace("\\", "/").rpartition("/")[2]
    return one_line(name, 240)
