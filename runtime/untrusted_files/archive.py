"""ZIP archives, which Office files are."""

import zipfile
from typing import BinaryIO

from .refusal import Refused

LARGEST = 200  # MB, unpacked: Excel files of 1,000,000 characters have about 30
MOST_ENTRIES = 10_000


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, if it's small enough. Raises Refused. Reading an entry ends at the size that it claims."""
    archive = zipfile.ZipFile(file)
    entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > LARGEST << 20 or len(entries) > MOST_ENTRIES:
        raise Refused(f"It's too large: unpacked, it has more than {LARGEST} MB. Split it, or remove its images.")
    return archive
