"""Detects what a file really is from its first bytes. The sender's file name and type aren't trusted.

This is a table of the formats that WhatsApp supports, because no maintained library covers all our Python versions:
filetype and python-magic were last released in 2022, and puremagic 2 requires Python 3.12.
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media#supported-media-types
"""

import re
from collections.abc import Callable

MAX_NAME = 150
HEAD = 4096  # as many bytes as the checks need

_TAG = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype|html|head|body|script|svg|iframe|meta)\b", re.I | re.S
)


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _is_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """An ISO media file of one of these brands, or of any brand if none is given."""
    return lambda head: head[4:8] == b"ftyp" and (not brands or head[8:12].startswith(brands))


def _riff(name: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == name


def _is_aac(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def _is_mpeg(head: bytes) -> bool:
    """It starts with a tag, or with a frame of layer I to III."""
    return head.startswith(b"ID3") or (
        len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 6 != 0
    )


def _is_html(head: bytes) -> bool:
    return _TAG.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def _is_text(head: bytes) -> bool:
    return bool(head) and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)


# The first row that matches gives the type.
SIGNATURES: list[tuple[str, Callable[[bytes], bool]]] = [
    ("image/jpeg", _starts(b"\xff\xd8\xff")),
    ("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    ("image/webp", _riff(b"WEBP")),
    ("image/gif", _starts(b"GIF87a", b"GIF89a")),
    ("image/tiff", _starts(b"II*\x00", b"MM\x00*")),
    ("image/bmp", lambda head: head[:2] == b"BM" and head[6:10] == bytes(4)),
    ("audio/ogg", _starts(b"OggS")),
    ("audio/flac", _starts(b"fLaC")),
    ("audio/amr", _starts(b"#!AMR")),
    ("audio/wav", _riff(b"WAVE")),
    ("audio/aac", _is_aac),
    ("audio/mpeg", _is_mpeg),
    ("audio/mp4", _is_brand(b"M4A", b"M4B")),
    ("video/3gpp", _is_brand(b"3g")),
    ("image/avif", _is_brand(b"avif", b"avis")),
    ("image/heic", _is_brand(b"hei", b"hev", b"mif1", b"msf1")),
    ("video/quicktime", _is_brand(b"qt")),
    ("video/mp4", _is_brand()),
    ("video/webm", _starts(b"\x1a\x45\xdf\xa3")),
    ("video/x-msvideo", _riff(b"AVI ")),
    ("application/pdf", lambda head: head.lstrip(b"\xef\xbb\xbf\x00\t\n\f\r ").startswith(b"%PDF-")),
    ("application/rtf", _starts(b"{\\rtf")),
    ("application/zip", _starts(b"PK\x03\x04", b"PK\x05\x06")),
    ("application/x-ole-storage", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    ("application/x-rar", _starts(b"Rar!")),
    ("application/x-7z", _starts(b"7z\xbc\xaf\x27\x1c")),
    ("application/gzip", _starts(b"\x1f\x8b")),
    ("application/x-executable", _starts(b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"#!")),
    ("text/html", _is_html),
    ("application/pdf", lambda head: b"%PDF-" in head[:1024]),  # after a few lines that don't belong to it
    ("text/plain", _is_text),
]

# The types allowed for each kind. A container for audio or video may be either.
FITTING: dict[str, frozenset[str]] = {
    "image": frozenset({"image/jpeg", "image/png", "image/webp"}),
    "sticker": frozenset({"image/webp"}),
    "audio": frozenset(
        {"audio/ogg", "audio/amr", "audio/wav", "audio/aac", "audio/mpeg", "audio/mp4", "video/mp4", "video/3gpp"}
        | {"video/webm"}
    ),
    "video": frozenset({"video/mp4", "video/quicktime", "video/3gpp", "video/webm", "audio/mp4"}),
}
# What the content alone doesn't say: these contain documents of many types, or are of a type we don't recognize.
CONTAINERS = {"application/zip", "application/x-ole-storage", "application/octet-stream"}
# A browser or the model would do something with these, so the content has to be of that type.
_PROVEN = re.compile(r"(image|audio|video|text|font|model)/.*|application/(pdf|.*html.*|.*xml|.*script|x-executable)")
_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]*/[a-z0-9][a-z0-9.+_-]*")
LONGEST_MIME_TYPE = 100
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
    """The type according to the first bytes; "application/octet-stream" if they match none."""
    return next((name for name, fits in SIGNATURES if fits(head)), "application/octet-stream")


def real_type(kind: str, claimed: str, head: bytes) -> str | None:
    """The real type of a file of this kind; None if it isn't what it claims to be. A document may be anything."""
    found = sniffed(head)
    if kind == "document":
        return _of_document(found, claimed)
    return _of_kind(kind, found) if found in FITTING.get(kind, ()) else None


def _of_document(found: str, claimed: str) -> str:
    """The type found in the content. Only a container may be of the type that's claimed, such as a spreadsheet."""
    claimed = claimed.partition(";")[0].strip().lower()
    is_name = len(claimed) <= LONGEST_MIME_TYPE and _MIME_TYPE.fullmatch(claimed)
    return claimed if found in CONTAINERS and is_name and not _PROVEN.fullmatch(claimed) else found


def _of_kind(kind: str, found: str) -> str:
    """The same container can be video or audio, depending on the message's kind. QuickTime's is that of MP4."""
    other = {"audio": ("video/", "audio/"), "video": ("audio/", "video/")}.get(kind)
    return found.replace("quicktime", "mp4").replace(*other) if other else found


def extension(mime_type: str) -> str:
    return EXTENSIONS.get(mime_type, "bin")


# What opens nothing that runs. Whatever else a sender calls a file, it's saved with a harmless ending.
_OFFICE = {"doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "rtf", "pages", "numbers", "key"}
_OTHERS = {"zip", "gz", "tar", "7z", "rar", "epub", "heic", "gif", "tif", "tiff", "bmp", "vcf", "ics", "eml", "bin"}
ENDINGS: dict[str, set[str]] = {
    "image/jpeg": {"jpg", "jpeg"},
    "audio/ogg": {"ogg", "oga", "opus"},
    "text/plain": {"txt", "csv", "tsv", "md", "log", "json", "xml", "yaml", "vcf", "ics", "eml", "rtf"},
}
# Separators, what Windows forbids, control characters, and marks that hide or turn around a part of the name.
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]')


def download_name(name: str, mime_type: str) -> str:
    """The sender's name for a file, so that no computer runs what it's saved as. '' if nothing of it is left."""
    name = _UNSAFE.sub("", re.split(r"[/\\]", name)[-1]).strip(" .")
    stem, dot, ending = name.rpartition(".")
    fitting = ENDINGS.get(mime_type) or {EXTENSIONS[mime_type]} if mime_type in EXTENSIONS else _OFFICE | _OTHERS
    if not dot or ending.lower() not in fitting:
        stem, ending = name, extension(mime_type)
    return f"{stem[:MAX_NAME].strip(' .')}.{ending}" if stem else ""
