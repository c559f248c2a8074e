"""The text of documents: PDFs and plain text, the beginning of it."""

import subprocess
import sys
from pathlib import Path
from typing import IO

PROGRAM = Path(__file__).with_name("pdf_text.py")
PAGES = 50
CHARACTERS = 20_000
SECONDS = 30
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
    command = [sys.executable, str(PROGRAM), str(PAGES), str(CHARACTERS)]
    try:
        done = subprocess.run(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=True
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"The document could not be read within {SECONDS} seconds.") from None
    except (subprocess.CalledProcessError, OSError):
        raise Unreadable("The document is damaged, or locked with a password.") from None
    return done.stdout.decode("utf-8", "replace")


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Cut within a letter at the very end, or an older way of writing.
        return (
            data[: error.start].decode("utf-8-sig") if error.start > len(data) - 4 else data.decode("cp1252", "replace")
        )
