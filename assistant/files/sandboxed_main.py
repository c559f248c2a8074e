"""Reads an untrusted file: `python sandboxed_main.py pdf PAGES CHARACTERS` or `… picture SIDE PIXELS`.

Reads standard input and writes standard output. Exit code 3 means that the file was refused; the output then says why.

A separate program, without Django: a hostile file uses up this process's memory and time, not the worker's.
"""

import resource
import sys
import warnings
from typing import BinaryIO

from PIL import Image, ImageOps
from pypdf import PdfReader

MEMORY = 192 * 1024 * 1024  # a photo of 12 million pixels takes 60 to 140 MB, depending on its compression
CPU_SECONDS = 20
FORMATS = ["JPEG", "PNG", "WEBP"]
EXIT_WITH_REASON = 3


def pdf(file: BinaryIO, pages: int, characters: int) -> None:
    """The text of the first pages."""
    left = characters
    for page in PdfReader(file).pages[:pages]:
        text = page.extract_text()[:left]
        sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "replace"))
        left -= len(text)
        if left <= 0:
            return


def picture(file: BinaryIO, side: int, pixels: int) -> None:
    """A JPEG scaled to fit `side`. The dimensions are in the first bytes: they're checked before anything is
    decompressed."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(file, formats=FORMATS) as opened:
        size = f"{opened.width} × {opened.height} pixels"
        try:
            if opened.width * opened.height > pixels:
                raise MemoryError
            small = _small(opened, side)
        except MemoryError:
            _tell(f"The image is too large: {size}.")
    small.save(sys.stdout.buffer, "JPEG", quality=80)


def _small(opened: Image.Image, side: int) -> Image.Image:
    opened.draft("RGB", (side, side))  # a JPEG is only decoded at the size that's needed
    opened.thumbnail((side, side))
    turned = ImageOps.exif_transpose(opened)
    if turned.mode in ("RGBA", "LA", "PA", "P"):
        clear = turned.convert("RGBA")
        turned = Image.new("RGB", clear.size, "white")
        turned.paste(clear, mask=clear.getchannel("A"))
    return turned.convert("RGB")


def _tell(words: str) -> None:
    sys.stdout.buffer.write(words.encode())
    sys.stdout.flush()
    sys.exit(EXIT_WITH_REASON)


def _bound(what: int, most: int) -> None:
    try:
        resource.setrlimit(what, (most, most))
    except (ValueError, OSError):
        print("this system doesn't support the limit", file=sys.stderr)


if __name__ == "__main__":
    _bound(resource.RLIMIT_AS, MEMORY)
    _bound(resource.RLIMIT_CPU, CPU_SECONDS)
    {"pdf": pdf, "picture": picture}[sys.argv[1]](sys.stdin.buffer, int(sys.argv[2]), int(sys.argv[3]))
