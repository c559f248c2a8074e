"""Large and hostile files at once, in a real worker: each is handled as expected, and the worker stays below 200 MB."""

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.media_at_meta import OGG, picture
from tests.pdfs import pdf

from . import postgres
from .processes import wait_until
from .sandboxed import Sandboxed
from .test_media_weather import MB, send
from .wire import Json
from .world import World

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("memory")]
MOST_MB = 200
PATIENT: dict[str, Any] = {
    "MEDIA_SECONDS": 120,
    "GRAPH_SECONDS": 60,
}  # the stand-in for Meta isn't built for such loads


@pytest.fixture(scope="module")
def sandboxed(server: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandboxed]:
    folder = Path(tmp_path_factory.mktemp("memory"))
    one = Sandboxed(World(server.create(), folder, MEDIA_FOLDER=folder / "media", **PATIENT))
    yield one
    one.close()


def clear(side: int) -> bytes:
    """An image with an alpha channel: it decodes to four bytes per pixel, and scaling it down takes as much again."""
    file = io.BytesIO()
    Image.new("RGBA", (side, side)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A few bytes that claim to be 60,000 × 60,000 pixels."""
    head = bytearray(picture(1, 1, "PNG"))
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(head)


def swelling_pdf() -> bytes:
    """A page whose content is 1 MB, or 1 GB decompressed."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * MB) for _ in range(1024)) + packer.flush()
    plain = pdf("x")
    begin, end = plain.index(b"<< /Length", plain.index(b"/Contents")), plain.index(b"endstream")
    stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\n" % (len(packed), packed)
    return plain[:begin] + stream + plain[end:]


FILES = {
    "voice note": ("audio", OGG + bytes(16 * MB - len(OGG)), "audio/ogg", ""),
    "too long a voice note": ("audio", OGG + bytes(17 * MB), "audio/ogg", "larger than 16 MB"),
    "large document": ("document", b"%PDF-1.4\n" + bytes(100 * MB - 9), "application/pdf", "damaged|MB of memory"),
    "swelling document": ("document", swelling_pdf(), "application/pdf", "damaged|MB of memory"),
    "photo": ("image", picture(4096, 3072), "image/jpeg", ""),
    "large picture": ("image", clear(4400), "image/png", "too large"),
    "larger picture": ("image", picture(5000, 5000, "PNG"), "image/png", "too large"),
    "bomb": ("image", bomb(), "image/png", "is damaged"),
    "page": ("image", b"<html><script>alert(1)</script>", "image/jpeg", "isn't the image it claims"),
}


def test_large_and_hostile_files_at_once(sandboxed: Sandboxed) -> None:
    # The small ones twice, so that they overlap with each other and the large ones.
    sent = [(name, *FILES[name][:3]) for name in (*FILES, *FILES) if len(FILES[name][1]) < MB] + [
        (name, *FILES[name][:3]) for name in FILES if len(FILES[name][1]) >= MB
    ]
    for place, (_, kind, data, mime_type) in enumerate(sent):
        send(sandboxed, str(730_000_000_000 + place), kind, data, mime_type)
    wait_until(lambda: len(settled(sandboxed)) == len(sent), 240, "the files are not settled")
    for row in settled(sandboxed):
        name = sent[int(row["phone_number_id"]) - 730_000_000_000][0]
        reason = FILES[name][3]
        assert re.search(reason, row["error"]), name
        assert bool(row["error"]) == bool(reason), f"{name}: {row['error']}"
    peak = peak_of(sandboxed.world.workers[0].id)
    print(f"the worker's peak: {peak} MB")
    assert peak < MOST_MB, f"the worker's peak was {peak} MB"


def settled(sandboxed: Sandboxed) -> list[Json]:
    return sandboxed.world.rows(
        "SELECT a.error, c.phone_number_id FROM attachments a JOIN conversation_messages m ON m.id = a.message_id "
        "JOIN conversations c ON c.id = m.conversation_id WHERE a.state IN ('ready', 'failed')"
    )


def peak_of(process: int) -> int:
    """Peak memory in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    (peak,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return peak // 1024
