"""What a file really is, by its first bytes; what it is called by whoever sent it counts for nothing.

A table of the formats that WhatsApp carries, because no library of this kind is kept up for all our Pythons: the last
filetype and python-magic are of 2022, and puremagic 2 asks for Python 3.12.
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media#supported-media-types
"""

import re
from collections.abc import Callable

HEAD = 4096  # bytes that are enough to tell

_TAG = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype|html|head|body|script|svg|iframe|meta)\b", re.I | re.S
)


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """An ISO media file of one of these brands; of any when none is named."""
    return lambda head: head[4:8] == b"ftyp" and (not brands or head[8:12].startswith(brands))


def _riff(name: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == name


def _is_aac(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def _is_mpeg(head: bytes) -> bool:
    """With a tag in front, or a frame of layer I to III at once."""
    return head.startswith(b"ID3") or (
        len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0
    )


def _is_html(head: bytes) -> bool:
    return _TAG.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def _is_text(head: bytes) -> bool:
    return bool(head) and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)


# The first row that fits names the type.
SIGNATURES: list[tuple[str, Callable[[bytes], bool]]] = [
    ("image/jpeg", _starts(b"\xff\xd8\xff")),
    ("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    ("image/webp", _riff(b"WEBP")),
    ("image/gif", _starts(b"GIF87a", b"GIF89a")),
    ("audio/ogg", _starts(b"OggS")),
    ("audio/amr", _starts(b"#!AMR")),
    ("audio/wav", _riff(b"WAVE")),
    ("audio/aac", _is_aac),
    ("audio/mpeg", _is_mpeg),
    ("audio/mp4", _is_brand(b"M4A", b"M4B")),
    ("video/3gpp", _is_brand(b"3g")),
    ("image/heic", _is_brand(b"hei", b"hev", b"mif1", b"avi")),
    ("video/mp4", _is_brand()),
    ("video/webm", _starts(b"\x1a\x45\xdf\xa3")),
    ("application/pdf", _starts(b"%PDF-")),
    ("application/zip", _starts(b"PK\x03\x04", b"PK\x05\x06")),
    ("application/x-ole-storage", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    ("application/x-executable", _starts(b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"#!")),
    ("text/html", _is_html),
    ("text/plain", _is_text),
]

# What may come under each kind. A container that carries sound or pictures alike may be either.
FITTING: dict[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png", "image/webp"}),
    "sticker": frozenset({"image/webp"}),
    "audio": frozenset(
        {"audio/ogg", "audio/amr", "audio/wav", "audio/aac", "audio/mpeg", "audio/mp4", "video/mp4", "video/3gpp"}
        | {"video/webm"}
    ),
    "video": frozenset({"video/mp4", "video/3gpp", "video/webm", "audio/mp4"}),
}
# A document may be anything, but not other than it says. By the beginning of the type that it claims.
CLAIMED: dict[str, frozenset[str]] = {
    "application/pdf": frozenset({"application/pdf"}),
    "application/vnd.openxmlformats-": frozenset({"application/zip"}),
    "application/msword": frozenset({"application/x-ole-storage", "application/zip"}),
    "application/vnd.ms-": frozenset({"application/x-ole-storage", "application/zip"}),
    "image/": FITTING["image"] | {"image/gif", "image/heic"},
    "audio/": FITTING["audio"],
    "video/": FITTING["video"],
    "text/": frozenset({"text/plain", "text/html"}),
}
EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "audio/ogg": "ogg",
    "audio/amr": "amr",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "video/mp4": "mp4",
    "video/3gpp": "3gp",
    "video/webm": "webm",
    "application/pdf": "pdf",
    "text/plain": "txt",
}


def sniffed(head: bytes) -> str:
    """The type that the first bytes show; "application/octet-stream" when they show none."""
    return next((name for name, fits in SIGNATURES if fits(head)), "application/octet-stream")


def real_type(kind: str, claimed: str, head: bytes) -> str | None:
    """The type of a file of this kind, None when it is not what it says."""
    found = sniffed(head)
    if kind != "document":
        return _of_kind(kind, found) if found in FITTING.get(kind, ()) else None
    claimed = claimed.partition(";")[0].strip().lower()
    wanted = next((types for beginning, types in CLAIMED.items() if claimed.startswith(beginning)), None)
    if wanted is not None and found not in wanted:
        return None
    return found if found in EXTENSIONS else claimed or found


def _of_kind(kind: str, found: str) -> str:
    """The same container is a video or a sound, as the message says."""
    other = {"audio": ("video/", "audio/"), "video": ("audio/", "video/")}.get(kind)
    return found.replace(*other) if other else found


def extension(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type, "bin")
