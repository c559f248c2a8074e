"""A text or Markdown file."""

from collections.abc import Iterator
from typing import BinaryIO

from .encoding import decoded


def read(file: BinaryIO, charset: str = "") -> Iterator[str]:
    yield decoded(file.read(), charset)
