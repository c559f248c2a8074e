"""A file that a person or a program of the business sends: looked at and kept, before it is queued."""

import hashlib
from dataclasses import replace

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage

from conversations.outbox.contents import FileUpload

from .attachments import Attachment, stored_name
from .file_types import HEAD, real_type, sniffed

# What Meta takes from a business; the rest goes as a document.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
KINDS = {
    **dict.fromkeys(("image/jpeg", "image/png"), "image"),
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), "audio"),
    **dict.fromkeys(("video/mp4", "video/3gpp"), "video"),
}
REFUSED = ("text/html", "application/x-executable")


def keep(file: "File[bytes]", caption: str = "", claimed: str = "", kind: str = "") -> FileUpload:
    """Keep a file for `outbox.send_message`. Raises ValueError, in words for its sender, when WhatsApp takes no such.

    claimed: the type that its sender says it has. kind: image, audio, video or document; empty: what it is.
    """
    head = file.read(HEAD)
    kind = kind or KINDS.get(sniffed(head), "document")
    _check_size(file, kind)
    mime_type = real_type(kind, claimed, head)
    if mime_type is None or (kind != "document" and KINDS.get(mime_type) != kind):
        raise ValueError(f"This file is no {kind} that WhatsApp takes.")
    if sniffed(head) in REFUSED:  # whatever its sender calls it
        raise ValueError("WhatsApp takes no programs and no web pages.")
    upload = FileUpload(
        kind=kind,
        stored="",
        mime_type=mime_type,
        size=file.size,
        sha256=_digest(file),
        caption=caption.strip(),
        filename=_name(file),
    )
    return replace(upload, stored=default_storage.save(stored_name(mime_type), file))


def drop_unused(upload: FileUpload) -> None:
    """Remove a file from the storage that no message took."""
    if not Attachment.objects.filter(file=upload.stored).exists():
        default_storage.delete(upload.stored)


def _check_size(file: "File[bytes]", kind: str) -> None:
    largest = settings.MEDIA_LARGEST_MB[kind]
    if not file.size:
        raise ValueError("The file is empty.")
    if file.size > largest * 1024 * 1024:
        raise ValueError(f"The file is too large: WhatsApp takes {largest} MB of this kind.")


def _digest(file: "File[bytes]") -> str:
    digest = hashlib.sha256()
    file.seek(0)
    for piece in file.chunks():
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def _name(file: "File[bytes]") -> str:
    name = (file.name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable())[:240]
