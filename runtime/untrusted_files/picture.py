"""An image made small: a JPEG scaled to fit."""

import io
import warnings
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageOps

from .refusal import Refused

FORMATS = ["JPEG", "PNG", "WEBP"]


def read(file: BinaryIO, side: str, pixels: str) -> Iterator[bytes]:
    """At most `side` pixels per side. The dimensions are in the first bytes: they're checked before anything is
    decompressed."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(file, formats=FORMATS) as opened:
        size = f"{opened.width} × {opened.height} pixels"
        try:
            if opened.width * opened.height > int(pixels):
                raise MemoryError
            small = _small(opened, int(side))
        except MemoryError:
            raise Refused(f"The image is too large: {size}.") from None
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    yield jpeg.getvalue()


def _small(opened: Image.Image, side: int) -> Image.Image:
    opened.draft("RGB", (side, side))  # a JPEG is only decoded at the size that's needed
    opened.thumbnail((side, side))
    turned = ImageOps.exif_transpose(opened)
    if turned.mode in ("RGBA", "LA", "PA", "P"):
        clear = turned.convert("RGBA")
        turned = Image.new("RGB", clear.size, "white")
        turned.paste(clear, mask=clear.getchannel("A"))
    return turned.convert("RGB")
