"""What WhatsApp accepts from a business, and what to do with anything else.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

from urllib.parse import urlsplit

from .file_types import CONTAINERS, real_type, sniffed

KINDS = {
    **dict.fromkeys(("image/jpeg", "image/png"), "image"),
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), "audio"),
    **dict.fromkeys(("video/mp4", "video/3gpp"), "video"),
}
DOCUMENTS = {"application/pdf", "text/plain"}
OFFICE = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
NOT_OPUS = (b"vorbis", b"fLaC", b"theora", b"Speex")  # codecs in an OGG file
_UNPACK = "Send the files in it one by one, or a link to it."
# By the beginning of the type; the first row that matches.
ADVICE = {
    "image/gif": "Convert it to JPEG or PNG, or to MP4 if it's animated.",
    "image/": "Convert it to JPEG or PNG.",
    "audio/": "Convert it to MP3, M4A, or OGG with the Opus codec.",
    "video/": "Convert it to MP4 with H.264 video and AAC audio.",
    "application/x-executable": "Send a link to it instead.",
    **dict.fromkeys(("application/zip", "application/gzip", "application/x-rar", "application/x-7z"), _UNPACK),
    "": "Convert it to PDF.",
}
LABELS = {
    "x-msvideo": "AVI",
    "quicktime": "QuickTime",
    "x-executable": "executable",
    "x-ole-storage": "",
    "octet-stream": "",
}
# File names' endings that WhatsApp doesn't accept, for files that Meta fetches from a URL.
ENDINGS = {
    **{ending: f"image/{ending}" for ending in ("heic", "heif", "avif", "tiff", "tif", "bmp", "gif", "webp", "svg")},
    **{ending: f"audio/{ending}" for ending in ("wav", "flac", "wma", "aiff")},
    **{ending: f"video/{ending}" for ending in ("webm", "avi", "mkv", "wmv", "flv")},
    "mov": "video/quicktime",
    "zip": "application/zip",
    "gz": "application/gzip",
    "rar": "application/x-rar",
    "7z": "application/x-7z",
    "htm": "text/html",
    "html": "text/html",
    "rtf": "application/rtf",
    "exe": "application/x-executable",
}


def sendable_type(kind: str, claimed: str, head: bytes, name: str) -> str:
    """The type as which Meta accepts a file of this kind. Raises ValueError, which says what to do instead.

    head: its first bytes. claimed: the type according to the sender, who only knows better for Office files.
    """
    found = sniffed(head)
    if found == "audio/ogg" and any(codec in head for codec in NOT_OPUS):
        raise ValueError(f"WhatsApp only accepts OGG files with the Opus codec. {ADVICE['audio/']}")
    if kind != "document":
        fitting = real_type(kind, claimed, head)
        if fitting and found != "video/quicktime" and KINDS.get(fitting) == kind:
            return fitting
        if better := KINDS.get(found) or ("document" if found in DOCUMENTS else ""):
            raise ValueError(f"The file isn't of kind “{kind}”. Send it with kind “{better}”.")
    elif found in DOCUMENTS or found in KINDS:
        return found
    elif found in CONTAINERS and found != "application/octet-stream":
        # A workbook with a password is an OLE file, whatever its version.
        office = claimed.partition(";")[0].strip().lower()
        if office in OFFICE.values():
            return office
        if by_name := OFFICE.get(name.rpartition(".")[2].lower()):
            return by_name
    raise ValueError(_refusal(found))


def check_link(url: str) -> None:
    """Raises ValueError if the file at this URL surely isn't accepted, going by its name."""
    if refused := ENDINGS.get(urlsplit(url).path.rpartition(".")[2].lower()):
        raise ValueError(_refusal(refused))


def _refusal(found: str) -> str:
    word = found.partition("/")[2]
    label = LABELS.get(word, word.removeprefix("x-").upper())
    advice = next(advice for beginning, advice in ADVICE.items() if found.startswith(beginning))
    return f"WhatsApp doesn't accept {f'{label} files' if label else 'files of this type'}. {advice}"
