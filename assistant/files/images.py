"""Pictures for models that can see: made small once, and put into the question as data."""

import asyncio
import base64
import io
import logging
from collections.abc import Sequence
from typing import IO, Any

from django.core.files.storage import default_storage
from PIL import Image

from .sandbox import DecodeError, unpack

logger = logging.getLogger(__name__)

LONGEST_SIDE = 1024
MOST_PIXELS = 20_000_000
STORED = "storage:"  # of an address that `context` writes and `with_data` replaces


class BadPicture(Exception):
    """It cannot be shown; the text says why."""


def shrink(file: IO[bytes]) -> bytes:
    """The picture as a JPEG of at most 1024 pixels a side, from a file on the disk. Raises BadPicture."""
    try:
        return unpack("picture", file, LONGEST_SIDE, MOST_PIXELS)
    except DecodeError as reason:
        raise BadPicture(str(reason) or "The picture cannot be opened: it is damaged.") from None


async def with_data(messages: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """These messages with the pictures themselves in the place of their names in the storage."""
    return [{**message, "content": await _filled(message["content"])} for message in messages]


async def _filled(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [await _part(part) for part in content]


async def _part(part: dict[str, Any]) -> dict[str, Any]:
    url = str(part.get("image_url", {}).get("url", ""))
    if not url.startswith(STORED):
        return part
    try:
        data = await asyncio.to_thread(_read, url.removeprefix(STORED))
    except Exception:
        logger.exception("a picture could not be read from the storage; the model is not shown it")
        return {"type": "text", "text": "(The picture cannot be seen.)"}
    return as_part(data)


def as_part(jpeg: bytes) -> dict[str, Any]:
    """A picture as a part of a question."""
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}}


def square(color: str) -> bytes:
    """A picture of one colour, to ask a model about."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(picture, "JPEG")
    return picture.getvalue()


def _read(name: str) -> bytes:
    with default_storage.open(name) as file:
        data: bytes = file.read()
        return data
