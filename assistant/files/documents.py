"""The text of documents: PDFs and plain text, the beginning of it."""

from typing import IO

from .sandbox import DecodeError, unpack

PAGES = 50
CHARACTERS = 20_000
READABLE = ("application/pdf", "text/plain")


class Unreadable(Exception):
    """There is no text to be had; the message says why."""


def text_of(file: IO[bytes], mime_type: str) -> str:
    """The beginning of what a document says. Raises Unreadable."""
    text = _of_pdf(file) if mime_type == "application/pdf" else _decoded(file.read(CHARACTERS * 4))
    text = text.replace("\x00", "").strip()[:CHARACTERS]
    if not text:
        raise Unreadable("There is no text in the document; perhaps it is scanned.")
    return text


def _of_pdf(file: IO[bytes]) -> str:
    try:
        return unpack("pdf", file, PAGES, CHARACTERS).decode("utf-8", "replace")
    except DecodeError as reason:
        raise Unreadable(str(reason) or "The document is damaged, or locked with a password.") from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Cut within a letter at the very end, or an older way of writing.
        return (
            data[: error.start].decode("utf-8-sig") if error.start > len(data) - 4 else data.decode("cp1252", "replace")
        )
