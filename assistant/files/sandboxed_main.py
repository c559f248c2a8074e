"""Reads an untrusted file: `python sandboxed_main.py pdf PAGES CHARACTERS` or `… picture SIDE PIXELS`.

From standard input to standard output. Exit code 3 means refused; standard output then says why.

A program of its own, without Django: a hostile file costs its memory and its time and not the worker's.
"""

import resource
import sys
import warnings
from typing import BinaryIO

from PIL import Image, ImageOps
from pypdf import PdfReader

MEMORY = 192 * 1024 * 1024  # a photo of 12 million pixels takes 60 to 140 MB, as it is packed
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
    """A JPEG with no longer side. The size stands in the first bytes: nothing is unpacked before it was looked at."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(file, formats=FORMATS) as opened:
        size = f"{opened.width} × {opened.height} pixels"
        try:
            if opened.width * opened.height > pixels:
                raise MemoryError
            small = _small(opened, side)
        except MemoryError:
            _tell(f"The picture is too large to be opened: {size}.")
    small.save(sys.stdout.buffer, "JPEG", quality=80)


def _small(opened: Image.Image, side: int) -> Image.Image:
    opened.draft("RGB", (side, side))  # of a JPEG no more is unpacked than is needed
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
        print("this system sets no such limit", file=sys.stderr)


if __name__ == "__main__":
    _bound(resource.RLIMIT_AS, MEMORY)
    _bound(resource.RLIMIT_CPU, CPU_SECONDS)
    {"pdf": pdf, "picture": picture}[sys.argv[1]](sys.stdin.buffer, int(sys.argv[2]), int(sys.argv[3]))
