"""The text of an uploaded file or a fetched page."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO

from knowledge.models import LONGEST_TEXT, LONGEST_TITLE
from runtime.untrusted_files import sandbox
from runtime.untrusted_files.refusal import Refused
from runtime.untrusted_files.sandbox import Limits
from runtime.untrusted_json import one_line, several_lines

MOST_PAGES = 1_000  # of a PDF
LIMITS = Limits(seconds=120, megabytes=384, characters=LONGEST_TEXT, whole=True)
HEAD = 1024
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # also what a DOCX with a password begins with
HTML = ("<!doctype html", "<html", "<head", "<body")
PAGE_TYPES = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class Extract:
    """title: of a web page."""

    text: str
    title: str = ""


def extract(file: IO[bytes], name: str, mime_type: str, charset: str, on_progress: Callable[[str], None]) -> Extract:
    """What a file on disk says. Raises Refused, always with a reason."""
    file.seek(0)
    reader, arguments = _reader(file.read(HEAD), name, mime_type, charset)
    try:
        output = sandbox.read(reader, file, *arguments, limits=LIMITS, on_progress=on_progress).decode("utf-8")
    except Refused as refusal:
        raise Refused(
            str(refusal) or "It can't be read because it's damaged. Open it, save it again and retry."
        ) from None
    title, _, text = output.partition("\n") if reader == "page" else ("", "", output)
    text = several_lines(text)
    if text:
        return Extract(text, one_line(title, LONGEST_TITLE))
    if reader == "pdf":
        raise Refused("The PDF has no text. It may be a scan: recognize its text (OCR), then upload it again.")
    raise Refused("It contains no text.")


def _reader(head: bytes, name: str, mime_type: str, charset: str) -> tuple[str, list[object]]:
    """By the content if it's telling, otherwise by the name and by what the web server says."""
    ending = PurePath(name).suffix.lower()
    if b"%PDF-" in head:
        return "pdf", [MOST_PAGES, "all"]
    if head.startswith(OLD_OFFICE):
        raise Refused(
            "It's protected by a password, or from an old version of Office. Save it as DOCX, XLSX or PDF, "
            "without a password."
        )
    if head.startswith(b"PK\x03\x04"):
        return "office", []
    start = head.decode("latin-1").lstrip("\xef\xbb\xbf \t\r\n").lower()
    if mime_type in PAGE_TYPES or ending in (".html", ".htm", ".xhtml") or start.startswith(HTML):
        return "page", [charset]
    return "table" if mime_type == "text/csv" or ending in (".csv", ".tsv") else "plain", [charset]
