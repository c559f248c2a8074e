"""Images for vision models: scaled down once, then embedded in the prompt."""

import asyncio
import base64
import io
import logging
from collections.abc import Sequence
from typing import IO, Any

from django.core.files.storage import default_storage
from PIL import Image

from runtime.untrusted_files import sandbox
from runtime.untrusted_files.refusal import Refused

logger = logging.getLogger(__name__)

LONGEST_SIDE = 1024
MOST_PIXELS = 20_000_000
STORED = "storage:"  # prefix of the placeholder URLs that `context` writes and `with_data` replaces


class BadPicture(Exception):
    """The image can't be shown; the message says why."""


def shrink(file: IO[bytes]) -> bytes:
    """An image file as a JPEG of at most 1024 pixels per side. Raises BadPicture."""
    try:
        return sandbox.read("picture", file, LONGEST_SIDE, MOST_PIXELS)
    except Refused as refusal:
        raise BadPicture(str(refusal) or "The image is damaged.") from None


async def with_data(messages: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """These messages, with each storage name replaced by the image itself."""
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
        logger.exception("an image couldn't be read from storage; it's left out of the prompt")
        return {"type": "text", "text": "(The image isn't available.)"}
    return as_part(data)


def as_part(jpeg: bytes) -> dict[str, Any]:
    """An image as a content part."""
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"}}


def square(color: str) -> bytes:
    """A single-color image, to test whether a model sees images."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(picture, "JPEG")
    return picture.getvalue()


def _read(name: str) -> bytes:
    with default_storage.open(name) as file:
        data: bytes = file.read()
        return data
