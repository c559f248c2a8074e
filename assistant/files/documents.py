"""Extracts the beginning of a document's text, from PDFs and plain text files."""

from typing import IO

from runtime.untrusted_files import sandbox
from runtime.untrusted_files.refusal import Refused
from runtime.untrusted_files.sandbox import Limits

PAGES = 50
CHARACTERS = 20_000
LIMITS = Limits(characters=CHARACTERS)
READABLE = ("application/pdf", "text/plain")


class Unreadable(Exception):
    """The document has no readable text; the message says why."""


def text_of(file: IO[bytes], mime_type: str) -> str:
    """The beginning of a document's text. Raises Unreadable."""
    text = _of_pdf(file) if mime_type == "application/pdf" else _decoded(file.read(CHARACTERS * 4))
    text = text.replace("\x00", "").strip()[:CHARACTERS]
    if not text:
        raise Unreadable("The document contains no text. It may be a scan.")
    return text


def _of_pdf(file: IO[bytes]) -> str:
    try:
        return sandbox.read("pdf", file, PAGES, "first", limits=LIMITS).decode("utf-8", "replace")
    except Refused as refusal:
        raise Unreadable(str(refusal) or "The document is damaged.") from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Cut in the middle of a character, or an older encoding.
        return (
            data[: error.start].decode("utf-8-sig") if error.start > len(data) - 4 else data.decode("cp1252", "replace")
        )
