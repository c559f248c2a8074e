"""The text of a PDF."""

from collections.abc import Iterator
from typing import BinaryIO

from pypdf import PdfReader

from .program import progress
from .refusal import Refused

BETWEEN_PROGRESS = 20  # pages


def read(file: BinaryIO, most: str, which: str) -> Iterator[str]:
    """The text of the `first` pages, or of `all` pages if there aren't more than that."""
    document = PdfReader(file)
    # Many PDFs are encrypted, but only against changes: their password is empty.
    if document.is_encrypted and not document.decrypt(""):
        raise Refused("The PDF is protected by a password. Save it without one and upload that.")
    pages, limit = len(document.pages), int(most)
    if which == "all" and pages > limit:
        raise Refused(f"The PDF has {pages:,} pages, and at most {limit:,} can be read. Split it into several.")
    for number in range(min(pages, limit)):
        if number % BETWEEN_PROGRESS == 0:
            progress(f"page {number + 1:,} of {pages:,}")
        yield f"{document.pages[number].extract_text()}\n"
